// What only a page does that stands by itself: frames enlarge, and the clip stays in sight.
(() => {
  const dialog = document.getElementById("enlarged");
  const [picture, caption] = [dialog.querySelector("img"), dialog.querySelector("figcaption")];
  let shown = 0;
  const buttons = [];
  const seen = () => buttons.filter((button) => button.checkVisibility?.() ?? button.offsetParent);
  const show = (place) => {
    const all = seen();
    shown = (place + all.length) % all.length;
    const image = all[shown].querySelector("img");
    [picture.src, picture.alt] = [image.src, image.alt];
    const words = all[shown].closest("figure").querySelector("figcaption").cloneNode(true);
    caption.replaceChildren(...words.childNodes);
  };
  for (const image of document.querySelectorAll("main figure img")) {
    const button = document.createElement("button");
    [button.type, button.className] = ["button", "enlarge"];
    button.setAttribute("aria-label", `Enlarge. ${image.alt}`);
    button.addEventListener("click", () => {
      show(seen().indexOf(button));
      dialog.showModal();
    });
    image.replaceWith(button);
    button.append(image);
    buttons.push(button);
  }
  const act = { previous: () => show(shown - 1), next: () => show(shown + 1), close: () => dialog.close() };
  dialog.addEventListener("click", (event) => {
    const name = event.target.closest("[data-act]")?.dataset.act;
    if (name) act[name]();
    else if (event.target === dialog || event.target.closest("[data-seconds]")) dialog.close();
  });
  dialog.addEventListener("keydown", (event) => {
    const name = { ArrowLeft: "previous", ArrowRight: "next" }[event.key];
    if (name) act[name]();
  });
  dialog.addEventListener("close", () => seen()[shown]?.focus());

  // A clip that was sent to a time goes along in a corner of the window.
  const player = document.getElementById("player");
  if (!player) return;
  let [wanted, inSight] = [false, true];
  const dock = () => {
    const docked = wanted && !inSight;
    player.parentElement.style.minHeight = docked ? `${player.parentElement.offsetHeight}px` : "";
    player.classList.toggle("docked", docked);
  };
  new IntersectionObserver(([entry]) => {
    inSight = entry.isIntersecting;
    dock();
  }).observe(player.parentElement);
  player.addEventListener("sought", () => {
    wanted = true;
    dock();
  });
  player.querySelector(".undock").addEventListener("click", () => {
    player.querySelector("video").pause();
    wanted = false;
    dock();
  });
})();
