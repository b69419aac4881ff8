// Times of the page play its clip from there.
(() => {
  const playing = () => document.querySelector("video.clip");
  // A file may write times that begin late; browsers differ in whether they begin at zero then.
  const zero = (video) => {
    const late = Number(video.dataset.zero);
    return video.duration > Number(video.dataset.length) + late / 2 ? late : 0;
  };
  let target = null;
  const seek = (video) => {
    video.currentTime = zero(video) + target;
    video.play().catch(() => {});
  };
  document.addEventListener("click", (event) => {
    const time = event.target.closest("[data-seconds]");
    const video = playing();
    if (!time || !video) return;
    target = Number(time.dataset.seconds);
    if (video.readyState > 0) seek(video);
    else {
      video.addEventListener("loadedmetadata", () => seek(video), { once: true });
      video.load();
    }
    video.dispatchEvent(new Event("sought", { bubbles: true }));
  });
  // A part of a video ends where it ends; who plays on from there sees the rest.
  let before = 0;
  document.addEventListener("timeupdate", (event) => {
    const video = event.target;
    if (video !== playing()) return;
    const end = video.dataset.until ? zero(video) + Number(video.dataset.until) : Infinity;
    if (before < end && video.currentTime >= end && video.currentTime < end + 1) video.pause();
    before = video.currentTime;
  }, true);
  // A browser that knows only the sound of a file plays that, and calls it no error.
  const check = (video) => {
    const unseen = video.error || (video.readyState > 0 && !video.videoWidth);
    if (unseen) video.parentElement.querySelector(".broken").hidden = false;
  };
  // Events of media do not bubble, so they are caught on the way down.
  for (const name of ["error", "loadedmetadata"]) {
    document.addEventListener(name, ({ target }) => target.matches?.("video.clip") && check(target), true);
  }
  // They may have come before this script.
  document.querySelectorAll("video.clip").forEach(check);
})();
