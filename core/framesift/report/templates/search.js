// Shows the lines of the transcript that hold every word which is looked for.
(() => {
  const folded = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
  const box = document.getElementById("search");
  const found = document.getElementById("found");
  const rows = [...document.querySelectorAll("#lines li")].map((row) => {
    const said = row.querySelector(".said");
    return { row, said: said.firstChild, text: folded(row.textContent) };
  });
  // Marks words without touching the text: a highlight is a style, not an element.
  const mark = (words) => {
    if (!CSS.highlights) return;
    const ranges = [];
    for (const { row, said } of rows) {
      if (!words.length || row.hidden || !said) continue;
      const plain = said.data.toLowerCase();
      if (plain.length !== said.data.length) continue;
      for (const word of words) {
        for (let at = plain.indexOf(word); at >= 0; at = plain.indexOf(word, at + word.length)) {
          const range = new Range();
          range.setStart(said, at);
          range.setEnd(said, at + word.length);
          ranges.push(range);
        }
      }
    }
    CSS.highlights.set("found", new Highlight(...ranges));
  };
  const search = () => {
    const words = folded(box.value).split(/\s+/).filter(Boolean);
    let count = 0;
    for (const { row, text } of rows) {
      row.hidden = !words.every((word) => text.includes(word));
      count += row.hidden ? 0 : 1;
    }
    const all = rows.length.toLocaleString("en");
    found.value = words.length ? `${count.toLocaleString("en")} of ${all} lines` : "";
    mark(words);
  };
  box.addEventListener("input", search);
  box.parentElement.hidden = false;
  search();
})();
