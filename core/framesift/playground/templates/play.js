document.addEventListener("sought", (event) => {
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  event.target.scrollIntoView({ behavior: still ? "auto" : "smooth", block: "nearest" });
});
