// The table of slides: search, sorting, and keys to move in it.

class Table {
  constructor(onSelect) {
    this.onSelect = onSelect;
    this.body = document.querySelector("#cohort tbody");
    this.rows = [...this.body.rows];
    byId("find").addEventListener("input", () => this.filter());
    byId("only").addEventListener("input", () => this.filter());
    document.querySelectorAll("#cohort thead button").forEach((button) => {
      button.addEventListener("click", () => this.sort(button.closest("th")));
    });
    this.body.addEventListener("click", (event) => {
      const row = event.target.closest("tr");
      // A click on the link changes the address, which selects the slide.
      if (row && !event.target.closest("a")) this.onSelect(row);
    });
    this.body.addEventListener("keydown", (event) => this.onKey(event));
    this.filter();
  }

  get shown() { return this.rows.filter((row) => !row.hidden); }

  filter() {
    const wanted = byId("find").value.trim().toLowerCase();
    const state = byId("only").value;
    for (const row of this.rows) {
      const text = row.querySelector("th").textContent.toLowerCase();
      row.hidden = !text.includes(wanted) || (state !== "" && row.dataset.state !== state);
    }
    byId("shown").textContent = `${this.shown.length} of ${this.rows.length}`;
    this.keepTabStop();
  }

  // Sorts by a column: names with their numbers in numerical order, cells without a number last.
  sort(heading) {
    const column = heading.cellIndex;
    const down = heading.getAttribute("aria-sort") === "ascending";
    document.querySelectorAll("#cohort thead th").forEach((th) => th.removeAttribute("aria-sort"));
    heading.setAttribute("aria-sort", down ? "descending" : "ascending");
    const byName = (a, b) => a.dataset.name.localeCompare(b.dataset.name, undefined, { numeric: true });
    const number = (row) => {
      const { sort } = row.cells[column].dataset;
      return sort ? Number(sort) : NaN;
    };
    const way = down ? -1 : 1;
    const byNumber = (a, b) => {
      const [one, two] = [number(a), number(b)];
      if (Number.isNaN(one) || Number.isNaN(two)) return Number.isNaN(one) - Number.isNaN(two) || byName(a, b);
      return way * (one - two) || byName(a, b);
    };
    this.rows.sort(column === 1 ? (a, b) => way * byName(a, b) : byNumber);
    this.body.append(...this.rows);
  }

  mark(row) {
    this.rows.forEach((other) => {
      other.classList.toggle("selected", other === row);
      const link = other.querySelector("a");
      if (other === row) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    });
    this.selected = row;
    this.keepTabStop();
    this.uncover(row);
  }

  // Scrolls the list until the row is visible. The page itself does not scroll.
  uncover(row) {
    const list = this.body.closest(".scroll");
    const heading = this.body.parentElement.tHead.offsetHeight;
    const seen = list.getBoundingClientRect();
    const { top, bottom } = row.getBoundingClientRect();
    if (top < seen.top + heading) list.scrollTop -= seen.top + heading - top;
    else if (bottom > seen.bottom) list.scrollTop += bottom - seen.bottom;
  }

  // The Tab key stops only once in the list, on a row that is not hidden.
  keepTabStop() {
    const stop = this.selected && !this.selected.hidden ? this.selected : this.shown[0];
    this.rows.forEach((row) => { row.querySelector("a").tabIndex = row === stop ? 0 : -1; });
  }

  onKey(event) {
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10, Home: -Infinity, End: Infinity };
    if (!(event.key in steps) || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    this.step(steps[event.key], true);
  }

  step(by, focus) {
    const { shown } = this;
    if (!shown.length) return;
    const now = shown.indexOf(this.selected);
    const next = now < 0 ? 0 : Math.min(shown.length - 1, Math.max(0, now + by));
    this.onSelect(shown[next]);
    if (focus) shown[next].querySelector("a").focus({ preventScroll: true });
  }
}
