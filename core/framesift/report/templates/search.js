// Shows the lines of the transcript that hold every word which is looked for.
(() => {
  // A letter without its accents, in small: what `framesift find` compares as well.
  const plain = (letter) =>
    letter.normalize("NFKD").replace(/[\u0300-\u036f]/g, "").toUpperCase().toLowerCase().normalize("NFC");
  // The letters of a text, each with the marks that belong to it.
  const letters = (text) => text.match(/\P{M}\p{M}*|\p{M}+/gu) || [];
  const folded = (text) => letters(text).map(plain).join("");
  // A folded text, and for each of its characters where the letter begins and ends that it is of.
  const placed = (text) => {
    const places = [];
    let start = 0;
    for (const letter of letters(text)) {
      const end = start + letter.length;
      for (let left = plain(letter).length; left > 0; left--) places.push([start, end]);
      start = end;
    }
    return { text: folded(text), places };
  };
  const box = document.getElementById("search");
  const found = document.getElementById("found");
  const rows = [...document.querySelectorAll("#lines li")].map((row) => {
    const said = row.querySelector(".said").firstChild;
    const speaker = row.querySelector(".speaker")?.textContent ?? "";
    const times = [...row.querySelectorAll(".times")].map((each) => each.textContent).join(" ");
    return { row, said, times, who: folded(speaker), ...placed(said?.data ?? "") };
  });
  const holds = ({ text, who, times }, word) =>
    text.includes(word) || who.includes(word) || (word.includes(":") && times.includes(word));
  // Marks words without touching the text: a highlight is a style, not an element.
  const mark = (words) => {
    if (!CSS.highlights) return;
    const ranges = [];
    for (const { row, said, text, places } of rows) {
      if (row.hidden) continue;
      for (const word of words) {
        for (let at = text.indexOf(word); at >= 0; at = text.indexOf(word, at + word.length)) {
          const range = new Range();
          range.setStart(said, places[at][0]);
          range.setEnd(said, places[at + word.length - 1][1]);
          ranges.push(range);
        }
      }
    }
    CSS.highlights.set("found", new Highlight(...ranges));
  };
  const search = () => {
    const words = folded(box.value).split(/\s+/).filter(Boolean);
    let count = 0;
    for (const each of rows) {
      each.row.hidden = !words.every((word) => holds(each, word));
      count += each.row.hidden ? 0 : 1;
    }
    const all = rows.length.toLocaleString("en");
    found.value = words.length ? `${count.toLocaleString("en")} of ${all} lines` : "";
    mark(words);
  };
  box.addEventListener("input", search);
  box.parentElement.hidden = false;
  search();
})();
