document.addEventListener("click", (event) => {
  const time = event.target.closest("[data-seconds]");
  const clip = document.querySelector("#clip video");
  if (!time || !clip) return;
  clip.currentTime = Number(time.dataset.seconds);
  clip.play().catch(() => {});
  clip.scrollIntoView({ behavior: "smooth", block: "nearest" });
});
// Errors of media do not bubble, so they are caught on the way down.
document.addEventListener("error", (event) => {
  const clip = event.target.closest?.("#clip video");
  if (clip) clip.nextElementSibling.hidden = false;
}, true);
