/* The decision tree as HTML cards joined by SVG lines; width is people, colour is the rate. */
document.addEventListener("alpine:init", () => {
  const { $, el } = ui, nf = n => Math.round(n).toLocaleString(), pct = (r, d = 0) => (r * 100).toFixed(d) + "%";
  const GAP = 10, LEAF = 88, ROOMY = 136, WIDE = 176, STEP = 108, CARD = 56, FOOT = 192;

  const go = $("[data-chosen]"); if (go) go.onchange = () => go.form.submit();

  Alpine.data("treeQuestion", () => ({
    type: "order",
    init() { this.type = $("#id_type").value; },
    get is_spend_over() { return this.type === "spend_over"; }, get is_event() { return this.type === "event" || this.type === "no_event"; }, get is_answer() { return this.type === "answer"; },
    get is_segment() { return this.type === "segment"; }, get is_attribute() { return this.type === "attribute"; }, get is_ahead() { return !this.is_segment && !this.is_attribute; },
  }));

  Alpine.data("tree", () => ({
    view: innerWidth < 1024 ? "list" : "tree", data: null, nodes: null, picked: [],
    get some() { return this.picked.length > 0; },
    pick(n, on) {
      this.picked = this.picked.filter(m => m.id !== n.id).concat(on ? [n] : []); n.el.classList.toggle("picked", on);
      const bulk = this.$refs.bulk, said = this.$refs.chosen; if (!bulk) return;
      bulk.querySelectorAll("[name=leaf]").forEach(x => x.remove());
      this.picked.forEach(m => { const i = el("input"); i.type = "hidden"; i.name = "leaf"; i.value = m.id; bulk.append(i); });
      const k = this.picked.length; said.textContent = `${k} ${k === 1 ? said.dataset.one : said.dataset.many} ${nf(this.picked.reduce((t, m) => t + m.n, 0))} ${said.dataset.people}`;
    },
    clear() { this.picked.slice().forEach(n => { n.box.checked = false; this.pick(n, false); }); },
    get tree() { return this.view === "tree"; }, get list() { return this.view === "list"; }, get isTree() { return String(this.tree); }, get isList() { return String(this.list); },
    asTree() { this.view = "tree"; this.$nextTick(() => this.draw()); }, asList() { this.view = "list"; },
    init() {
      this.data = JSON.parse($("#tree-data").textContent); let w = 0;
      this.$nextTick(() => this.draw());
      new ResizeObserver(([e]) => { if (Math.abs(e.contentRect.width - w) > 4) { w = e.contentRect.width; this.draw(); } }).observe(this.$refs.tree.parentNode);
    },
    heat(r) { const { low, high } = this.data; return Math.round(12 + 88 * (high > low ? Math.min(1, Math.max(0, (r - low) / (high - low))) : 0)) + "%"; },
    /* how wide a card may be without touching its neighbours at the same depth */
    room(n, nodes, W) { const near = nodes.filter(m => !m.leaf && m !== n && m.d === n.d).map(m => Math.abs(m.x - n.x) - 8); return Math.max(96, Math.min(...near, 2 * n.x, 2 * (W - n.x))); },
    save(url) { const f = this.$refs.saver; f.action = url; f.submit(); },
    draw() {
      const host = this.$refs.tree, room = host.parentNode.clientWidth; if (!room) return;
      const svg = host.querySelector("svg"), words = host.dataset, leaves = [], nodes = []; let deep = 0;
      const walk = (n, d, par) => { n.d = d; n.par = par; nodes.push(n); deep = Math.max(deep, d); n.leaf ? leaves.push(n) : n.c.forEach(c => walk(c, d + 1, n)); }; walk(this.data.root, 0, null);
      const lw = Math.max(LEAF, Math.min(WIDE, (room - GAP * (leaves.length - 1)) / leaves.length)), W = Math.max(room, lw * leaves.length + GAP * (leaves.length - 1)), floor = deep * STEP + 4, H = floor + FOOT;
      const off = (W - (lw * leaves.length + GAP * (leaves.length - 1))) / 2;
      leaves.forEach((l, i) => { l.x = off + i * (lw + GAP) + lw / 2; l.y = floor; });
      const place = n => { if (n.leaf) return; n.c.forEach(place); n.x = (n.c[0].x + n.c[1].x) / 2; n.y = n.d * STEP; }; place(this.data.root);
      host.style.height = H + "px"; host.style.width = W + "px"; svg.setAttribute("viewBox", `0 0 ${W} ${H}`); svg.setAttribute("width", W); svg.setAttribute("height", H);
      host.querySelectorAll(".tn,.el").forEach(x => x.remove()); svg.replaceChildren();
      const all = Math.max(this.data.root.n, 1);
      nodes.filter(n => n.par).forEach(n => {
        const p = n.par, left = n.x < p.x, tot = Math.max(p.n, 1), whole = 30 * Math.sqrt(p.n / all), w = Math.max(2, whole * n.n / tot), sx = p.x + (left ? -1 : 1) * (whole - w) / 2, y1 = p.y + CARD, y2 = n.y, path = document.createElementNS("http://www.w3.org/2000/svg", "path");
        const my = Math.min(y1 + 64, y2 - 26);
        path.setAttribute("d", `M${sx},${y1 - 6} C${sx},${my} ${n.x},${y1 - 4} ${n.x},${Math.min(y2, y1 + 84)} L${n.x},${y2 + 4}`);
        path.setAttribute("stroke-width", w); path.setAttribute("class", "te"); path.style.setProperty("--h", this.heat(n.rate)); svg.append(path); n.path = path;
        const lab = el("span", "el", n.edge); lab.style.left = (sx * .32 + n.x * .68) + "px"; const close = Math.abs(p.c[0].x - p.c[1].x) < 132; lab.style.top = (y1 + (close ? (left ? 14 : 38) : 27)) + "px"; host.append(lab);
      });
      nodes.forEach(n => {
        const b = el("div", "tn" + (n.leaf ? " leaf" + (lw < ROOMY ? " slim" : "") : "")); b.style.left = n.x + "px"; b.style.top = n.y + "px"; b.style.setProperty("--h", this.heat(n.rate));
        if (n.leaf) {
          b.style.width = lw + "px"; b.title = n.rule;
          const top = el("div", "ltop"), sure = n.lift_low > 1 ? "up" : n.lift_high < 1 ? "dn" : "", bar = el("span", "bar thin"), count = el("span", "ln num", `${nf(n.n)} ${words.people}`);
          top.append(el("b", "num", pct(n.rate)), el("span", "lf num " + sure, `${n.lift.toFixed(2)}×`));
          if (words.save && n.save && !n.segment) { const c = n.box = el("input"); c.type = "checkbox"; c.setAttribute("aria-label", `${words.choose}: ${n.rule}`); c.checked = this.picked.some(m => m.id === n.id); b.classList.toggle("picked", c.checked); c.onchange = () => this.pick(n, c.checked); top.append(c); }
          bar.style.setProperty("--v", pct(n.rate)); bar.append(el("i"));
          count.append(el("small", "", `${pct(n.low)} – ${pct(n.high)}`)); b.append(top, bar, count);
          if (n.segment) { const a = el("a", "btn sm", lw < ROOMY ? words.openShort : words.open); a.href = n.segment; a.setAttribute("aria-label", `${lw < ROOMY ? words.openShort : words.open}: ${n.rule}`); b.append(a); }
          else if (words.save && n.save) { const s = el("button", "btn sm", lw < ROOMY ? words.saveShort : words.save); s.type = "button"; s.setAttribute("aria-label", `${lw < ROOMY ? words.saveShort : words.save}: ${n.rule}`); s.onclick = () => this.save(n.save); b.append(s); }
          b.onmouseenter = () => this.mark(n); b.onmouseleave = () => this.mark();
          b.addEventListener("focusin", () => this.mark(n)); b.addEventListener("focusout", () => this.mark());
        } else b.style.maxWidth = this.room(n, nodes, W) + "px", b.title = n.q, b.append(el("b", "", n.q), el("span", "num", `${nf(n.n)} ${words.people} · ${pct(n.rate)}`));
        n.el = b; host.append(b);
      });
      this.nodes = nodes;
    },
    mark(leaf) {
      if (!this.nodes) return; const on = new Set(); for (let n = leaf; n; n = n.par) on.add(n.id);
      this.nodes.forEach(n => { n.path?.classList.toggle("on", on.has(n.id)); n.el.classList.toggle("on", on.has(n.id)); });
    },
  }));
});
