/* The rule builder. A rule is a small tree of plain objects; rows are drawn from it and write back into it. After
   each change the rule goes to the server as JSON, which answers with the count, the people and the sentence. */
document.addEventListener("alpine:init", () => {
  const { $, $$, el, svg } = ui;
  const isGroup = n => n.t === "group";

  /* JSON of the grammar -> objects with a flag `not`, and back */
  const read = (r, not = false) => {
    if (r.not) return read(r.not, !not);
    if (r.all || r.any) return { t: "group", op: r.all ? "all" : "any", items: (r.all || r.any).map(x => read(x)), not };
    if (r.field) return { t: "field", field: r.field, op: r.op, value: r.value, not };
    if (r.did) return { t: "did", event: r.did, n: r.at_least ?? 1, days: r.days ?? null, where: (r.where || []).map(w => ({ ...w })), not };
    if (r.bought) { const by = ["sku", "category", "any"].find(k => k in r.bought); return { t: "bought", by, what: by === "any" ? "" : r.bought[by], n: r.at_least ?? 1, days: r.days ?? null, not }; }
    return { t: "segment", id: r.in_segment, not };
  };
  const bare = n => {
    if (isGroup(n)) return { [n.op]: n.items.map(write) };
    if (n.t === "field") return n.op === "known" || n.op === "unknown" ? { field: n.field, op: n.op } : { field: n.field, op: n.op, value: n.value };
    if (n.t === "did") return { did: n.event, at_least: n.n, days: n.days, where: n.where.map(w => (w.op === "known" ? { property: w.property, op: w.op } : { ...w })) };
    if (n.t === "bought") return { bought: n.by === "any" ? { any: true } : { [n.by]: n.what }, at_least: n.n, days: n.days };
    return { in_segment: n.id };
  };
  const write = n => (n.not ? { not: bare(n) } : bare(n));
  const whole = text => (text === "" ? null : Number(text));

  Alpine.data("segment", () => ({
    view: "rules", top: null, data: null, seed: 0, into: null, out: false,
    get rules() { return this.view === "rules"; }, get sql() { return this.view === "sql"; },
    get isRules() { return String(this.rules); }, get isSql() { return String(this.sql); },
    showRules() { this.view = "rules"; }, showSql() { this.view = "sql"; },
    init() {
      this.data = JSON.parse($("#segment-data").textContent);
      const rule = read(this.data.rule);
      this.top = isGroup(rule) && !rule.not ? rule : { t: "group", op: "all", items: [rule], not: false };
      $("#s-match").value = this.top.op;
      this.draw(); this.put(); this.counted(this.data.counted);
      document.addEventListener("segment-counted", e => this.counted(e.detail));
      document.addEventListener("segment-fault", e => this.fault(e.detail));
      document.addEventListener("click", e => {
        const add = e.target.closest("[data-add]"); if (add) this.add(add.dataset.add, add.dataset.field);
        const again = e.target.closest("[data-shuffle]"); if (again) { this.seed = Number(again.dataset.shuffle); this.send(); }
      });
    },
    put() { this.$refs.json.value = JSON.stringify(write(this.top)); },
    changed(redraw) { this.put(); if (redraw) this.draw(); clearTimeout(this._t); this._t = setTimeout(() => this.send(), 350); },
    send() {
      $(".big")?.classList.add("busy");
      htmx.ajax("POST", this.data.preview, { target: "#live", swap: "innerHTML", source: this.$refs.rules, values: { rule: JSON.stringify(write(this.top)), id: this.data.id ?? "", seed: this.seed } });
    },
    match(e) { this.top.op = e.target.value; this.changed(true); },
    atTop() { this.into = this.top; this.out = false; }, atTopOut() { this.into = this.top; this.out = true; },
    addGroup() { this.top.items.push({ t: "group", op: this.top.op === "all" ? "any" : "all", items: [], not: false }); this.changed(true); $$(".add-in", this.$refs.rules).at(-1)?.focus(); },
    add(kind, name) {
      const f = this.data.fields[name], not = this.out; let n;
      if (kind === "bought") n = { t: "bought", by: "any", what: "", n: 1, days: 90, not };
      else if (kind === "did") n = { t: "did", event: $("#s-events option")?.value || "page_view", n: 1, days: 30, where: [], not };
      else if (kind === "segment") { if (!this.data.segments.length) return; n = { t: "segment", id: this.data.segments[0].id, not }; }
      else n = { t: "field", field: name, op: this.data.ops[f.kind][f.kind === "number" ? 4 : 0], not };
      if (n.t === "field") n.value = this.fresh(n);
      (this.into || this.top).items.push(n); this.changed(true);
      n.el?.querySelector(".rf select, .rf input")?.focus();
    },
    fresh(n) {
      const kind = this.data.fields[n.field].kind;
      if (n.op === "known" || n.op === "unknown") return undefined;
      if (n.op === "between") return [0, 10];
      if (n.op === "within_days" || n.op === "not_within_days") return 30;
      const first = n.field === "customer.country" ? $("#s-countries option")?.value || "GB" : "…";
      if (n.op === "in" || n.op === "not_in") return [first];
      return { number: 1, flag: true, date: new Date().toISOString().slice(0, 10), choice: first, text: first }[kind];
    },
    fits(n) {
      const kind = this.data.fields[n.field].kind, v = n.value;
      if (n.op === "known" || n.op === "unknown") return v === undefined;
      if (n.op === "between") return Array.isArray(v) && typeof v[0] === "number";
      if (n.op === "in" || n.op === "not_in") return Array.isArray(v) && typeof v[0] === "string";
      if (n.op === "within_days" || n.op === "not_within_days" || kind === "number") return typeof v === "number";
      return typeof v === (kind === "flag" ? "boolean" : "string");
    },

    /* drawing */
    draw() {
      const list = this.$refs.rules, w = this.data.words; list.replaceChildren();
      this.top.items.forEach((n, i) => {
        const li = el("li", "rule" + (n.not ? " is-ex" : "") + (isGroup(n) ? " has-group" : ""));
        li.append(el("span", "join", n.not ? w.not : i ? (this.top.op === "all" ? w.and : w.or) : ""));
        li.append(this.node(n, this.top, `${this.top.op}[${i}]`));
        const left = el("div", "left"), num = el("span", "num", ""), bar = el("span", "bar thin " + (n.not ? "k4" : "k1")); num.dataset.left = i; bar.append(el("i")); left.title = w.left; left.append(num, bar); li.append(left);
        list.append(li);
      });
      this.$refs.none.hidden = this.top.items.length > 0;
      if (list.dataset.readonly) $$("select,input,button", list).forEach(x => (x.disabled = true));
    },
    node(n, parent, path) {
      const at = n.not ? path + ".not" : path;
      return isGroup(n) ? this.group(n, parent, at) : this.row(n, parent, at);
    },
    tools(n, parent, name) {
      const w = this.data.words, box = [];
      const flip = el("button", "btn ghost sm icon-only rm"); flip.type = "button"; flip.append(svg(n.not ? "user-plus" : "user-x")); flip.setAttribute("aria-label", (n.not ? w.include : w.exclude) + ": " + name); flip.title = n.not ? w.include : w.exclude;
      flip.onclick = () => { n.not = !n.not; this.changed(true); };
      const rm = el("button", "btn ghost sm icon-only rm"); rm.type = "button"; rm.append(svg("x")); rm.setAttribute("aria-label", (isGroup(n) ? w.removeGroup : w.remove) + ": " + name);
      rm.onclick = () => { parent.items.splice(parent.items.indexOf(n), 1); this.changed(true); ($(".rm", this.$refs.rules) || $(".rule-add button")).focus(); };
      box.push(flip, rm); return box;
    },
    group(n, parent, path) {
      const w = this.data.words, g = el("div", "rgroup" + (n.not ? " is-ex" : "")), head = el("div", "s-head"), pick = this.select([["any", w.anyOf], ["all", w.allOf]], n.op, w.matchGroup, v => { n.op = v; this.changed(true); });
      pick.classList.add("mini"); g.setAttribute("role", "group"); g.setAttribute("aria-label", n.op === "any" ? w.anyOf : w.allOf); g.dataset.path = path;
      const push = el("span", "push"); head.append(pick, push, ...this.tools(n, parent, n.op === "any" ? w.anyOf : w.allOf)); g.append(head);
      n.items.forEach((m, i) => g.append(this.node(m, n, `${path}.${n.op}[${i}]`)));
      const foot = el("div", "s-foot"), more = el("button", "btn ghost sm add-in", w.addInside); more.type = "button"; more.prepend(svg("plus")); more.setAttribute("popovertarget", "m-rule"); more.onclick = () => { this.into = n; this.out = false; };
      foot.append(more); g.append(foot); n.el = g; return g;
    },
    row(n, parent, path) {
      const look = n.t === "field" ? this.data.fields[n.field] : { did: { icon: "activity", hue: "k7" }, bought: { icon: "shopping-cart", hue: "k2" }, segment: { icon: "chart-pie-2", hue: "k5" } }[n.t];
      const row = el("div", "rrow" + (n.not ? " is-ex" : "")), tile = el("span", "tile s " + look.hue), box = el("div", "rf"); tile.append(svg(look.icon)); row.dataset.path = path;
      this[n.t](n, box); row.append(tile, box, ...this.tools(n, parent, this.title(n))); n.el = row; return row;
    },
    title(n) { const w = this.data.words; return n.t === "field" ? this.data.fields[n.field].label : { did: w.did, bought: w.ordered, segment: w.inSegment }[n.t]; },
    select(options, value, label, on) {
      const s = el("select", "select"); s.setAttribute("aria-label", label);
      options.forEach(([v, text]) => { const o = el("option", "", text); o.value = v; if (String(v) === String(value)) o.selected = true; s.append(o); });
      s.onchange = () => on(s.value); return s;
    },
    input(type, value, label, on, cls) {
      const i = el("input", "input " + (cls || "")); i.type = type; i.value = value ?? ""; i.setAttribute("aria-label", label); i.autocomplete = "off";
      i.oninput = () => on(i.value); return i;
    },
    field(n, box) {
      const d = this.data, w = d.words, f = d.fields[n.field];
      box.append(this.select(Object.entries(d.fields).map(([k, v]) => [k, v.label]), n.field, w.field, v => { n.field = v; const ops = d.ops[d.fields[v].kind]; if (!ops.includes(n.op)) n.op = ops[0]; if (!this.fits(n)) n.value = this.fresh(n); this.changed(true); }));
      if (f.kind !== "flag") box.append(this.select(d.ops[f.kind].map(o => [o, d.opWords[o]]), n.op, w.question, v => { n.op = v; if (!this.fits(n)) n.value = this.fresh(n); this.changed(true); }));
      const set = v => { n.value = v; this.changed(); }, name = f.label + ": ";
      if (n.op === "known" || n.op === "unknown") return;
      if (f.kind === "flag") box.append(this.select([["true", w.yes], ["false", w.no]], n.value, name + w.value, v => set(v === "true")));
      else if (n.op === "between") ["from", "to"].forEach((k, i) => { const x = this.input("number", n.value[i], name + w[k], v => { n.value[i] = Number(v); this.changed(); }, "n"); x.step = "any"; box.append(x); });
      else if (n.op === "in" || n.op === "not_in") box.append(this.input("text", n.value.join(", "), name + w.values, v => set(v.split(",").map(x => x.trim()).filter(Boolean)), "s-list"));
      else if (f.kind === "number" || n.op.endsWith("within_days")) { const x = this.input("number", n.value, name + w.value, v => set(v === "" ? null : Number(v)), "n"); x.step = "any"; box.append(x); }
      else if (f.kind === "date") box.append(this.input("date", n.value, name + w.value, set));
      else { const x = this.input("text", n.value, name + w.value, set, "s-txt"); if (n.field === "customer.country") x.setAttribute("list", "s-countries"); box.append(x); }
    },
    often(n, box) {
      const w = this.data.words, a = this.input("number", n.n, w.howOften, v => { n.n = whole(v); this.changed(); }, "n"), b = this.input("number", n.days, w.howLong, v => { n.days = whole(v); this.changed(); }, "n");
      a.min = b.min = 1; b.placeholder = w.ever; box.append(el("span", "w", w.atLeast), a, el("span", "w", w.times), b, el("span", "w", w.days));
    },
    bought(n, box) {
      const w = this.data.words;
      box.append(el("b", "", w.ordered), this.select([["any", w.anything], ["sku", w.product], ["category", w.category]], n.by, w.bought, v => { n.by = v; this.changed(true); }));
      if (n.by !== "any") box.append(this.input("text", n.what, w.value, v => { n.what = v; this.changed(); }, "s-txt"));
      this.often(n, box);
    },
    did(n, box) {
      const d = this.data, w = d.words, ev = this.input("text", n.event, w.event, v => { n.event = v; this.changed(); }, "s-txt"); ev.setAttribute("list", "s-events");
      box.append(el("b", "", w.did), ev); this.often(n, box);
      const tests = el("div", "s-tests");
      n.where.forEach(t => {
        const line = el("div", "s-test"), rm = el("button", "btn ghost sm icon-only rm"); rm.type = "button"; rm.append(svg("x")); rm.setAttribute("aria-label", w.removeTest); rm.onclick = () => { n.where.splice(n.where.indexOf(t), 1); this.changed(true); };
        line.append(el("span", "w", w.with), this.input("text", t.property, w.property, v => { t.property = v; this.changed(); }, "s-txt"), this.select(d.propertyOps.map(o => [o, d.opWords[o]]), t.op, w.question, v => { t.op = v; if (v !== "known" && t.value === undefined) t.value = ""; this.changed(true); }));
        if (t.op !== "known") line.append(this.input("text", t.value, w.value, v => { t.value = v !== "" && !isNaN(v) && t.op !== "contains" ? Number(v) : v; this.changed(); }, "s-txt"));
        line.append(rm); tests.append(line);
      });
      const more = el("button", "btn ghost sm add-in", w.addTest); more.type = "button"; more.prepend(svg("plus")); more.onclick = () => { n.where.push({ property: "url", op: "contains", value: "/" }); this.changed(true); };
      tests.append(more); box.append(tests);
    },
    segment(n, box) { const w = this.data.words; box.append(el("b", "", w.inSegment), this.select(this.data.segments.map(s => [s.id, s.name]), n.id, w.segment, v => { n.id = Number(v); this.changed(); })); },

    /* answers */
    counted({ start, left }) {
      this.clearFault(); if (start != null) this.$refs.start.textContent = start.toLocaleString();
      $$("[data-left]", this.$refs.rules).forEach((x, i) => { const n = left[i]; x.textContent = n == null ? "" : n.toLocaleString(); x.parentNode.querySelector(".bar").style.setProperty("--v", (n && start ? n / start * 100 : 0) + "%"); });
    },
    clearFault() { $$(".s-bad", this.$refs.rules).forEach(x => x.classList.remove("s-bad")); $$(".s-why", this.$refs.rules).forEach(x => x.remove()); $("#seg-error").replaceChildren(); },
    fault({ path, message }) {
      this.clearFault(); if (!path) return;
      const hit = $$("[data-path]", this.$refs.rules).filter(x => path === x.dataset.path || path.startsWith(x.dataset.path + ".")).sort((a, b) => b.dataset.path.length - a.dataset.path.length)[0];
      if (!hit) return; hit.classList.add("s-bad"); (hit.querySelector(":scope > .rf") || hit).append(el("span", "s-why", message));
    },
  }));
});
