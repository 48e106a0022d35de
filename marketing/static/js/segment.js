/* The rule builder: draws the rule as rows, sends it after each change, and shows what comes back: the count, who can
   be reached, what each rule does to it, the sentence, and where a fault is. The editors are in segment-editors.js. */
document.addEventListener("alpine:init", () => {
  const { $, $$, el, svg } = ui;
  const plain = path => path.replaceAll(".not", "");
  const label = n => n.getAttribute("aria-label") || n.textContent;

  Alpine.data("segment", () => ({
    view: "rules", dirty: false, empty: true,
    get rules() { return this.view === "rules"; }, get sql() { return this.view === "sql"; },
    get isRules() { return String(this.rules); }, get isSql() { return String(this.sql); },
    get clean() { return !this.dirty; },
    showRules() { this.view = "rules"; }, showSql() { this.view = "sql"; this.send(); },
    init() {
      /* plain variables, not Alpine's: the tree of rules must stay the very objects that the editors write into */
      const data = JSON.parse($("#segment-data").textContent), page = this.$root;
      const rule = segmentEditors.read(data.rule);
      this.s = { __v_skip: true, data, page, seed: 0, into: null, out: false, at: null, last: "", abort: null, timer: 0 };
      const s = this.s;
      s.top = rule.items && !rule.not ? rule : { not: false, op: "all", items: [rule] };
      s.editors = segmentEditors(data, { draw: () => this.changed(true), touch: () => this.changed(false) });
      $("#s-match").value = s.top.op;
      this.draw(); this.put(); s.kept = this.text(); this.send();
      page.addEventListener("click", e => this.click(e));
      document.addEventListener("click", e => this.choose(e));
      page.addEventListener("keydown", e => this.keys(e));
      addEventListener("beforeunload", e => { if (this.dirty && !s.saving) e.preventDefault(); });
      $("#seg-form").addEventListener("htmx:configRequest", () => { s.saving = true; });
      $("#seg-form").addEventListener("htmx:responseError", () => { s.saving = false; });
      $$("#seg-form input:not([type=hidden])").forEach(i => i.addEventListener("input", () => { this.dirty = true; }));
      document.addEventListener("segment-fault", e => this.fault(e.detail));
      document.addEventListener("list-read", e => this.listed(e.detail));
      this.menus();
    },
    text() { return JSON.stringify(this.s.editors.out(this.s.top)); },
    put() { this.$refs.json.value = this.text(); this.dirty = this.s.kept !== undefined && this.s.kept !== this.$refs.json.value; },
    changed(redraw) { this.put(); if (redraw) this.draw(); clearTimeout(this.s.timer); this.s.timer = setTimeout(() => this.send(), 350); },
    match(e) { this.s.top.op = e.target.value; this.changed(true); },

    /* asking: one question at a time; the one before is given up here, and the server gives it up too */
    async ask(url, more) {
      const s = this.s, body = new FormData();
      Object.entries({ rule: this.text(), id: s.data.id ?? "", token: s.data.token, ...more }).forEach(([k, v]) => body.append(k, v));
      const headers = JSON.parse(document.body.getAttribute("hx-headers"));
      const answer = await fetch(url, { method: "POST", body, headers, signal: s.abort.signal });
      if (!answer.ok || answer.status === 204) return null;
      return answer.json();
    },
    async send() {
      const s = this.s; s.abort?.abort(); s.abort = new AbortController();
      $("#live").setAttribute("aria-busy", "true");
      try {
        const said = await this.ask(s.data.preview, { seed: s.seed, sql: this.sql ? 1 : "" });
        if (!said) return this.lost();
        if (said.fault) return this.fault(said.fault);
        this.clearFault(); $("#live").innerHTML = said.live; $("#some").innerHTML = said.some; $("#meaning").textContent = said.meaning; if (said.sql) $("#sql").textContent = said.sql;
        $("#live").removeAttribute("aria-busy"); this.counted(said); this.also();
      } catch (error) { if (error.name !== "AbortError") this.lost(); }
    },
    async also() {
      const box = $("#overlap"), show = html => { box.innerHTML = html; box.hidden = !html; };
      try { show((await this.ask(this.s.data.overlap))?.html || ""); } catch (error) { if (error.name !== "AbortError") show(""); }
    },
    lost() { $("#live").removeAttribute("aria-busy"); ui.toast({ title: this.s.data.words.lost, tone: "bad", icon: "alert-triangle" }); },

    /* choosing what to add */
    atTop() { this.s.into = this.s.top; this.s.out = false; }, atTopOut() { this.s.into = this.s.top; this.s.out = true; },
    addGroup() { this.group(this.s.top); },
    group(parent) { const n = { not: false, op: parent.op === "all" ? "any" : "all", items: [] }; parent.items.push(n); this.changed(true); n.el.querySelector(".add-in").focus(); },
    add(kind, name) {
      const s = this.s, parent = s.into || s.top;
      if (kind === "in_list" && !s.data.lists.length) return s.editors.upload(id => { parent.items.push({ not: s.out, q: { in_list: id } }); });
      if (kind === "group") return this.group(parent);
      const n = { not: s.out, q: s.editors.begin[kind](name) }; parent.items.push(n); this.changed(true);
      n.el.querySelector(".rf select, .rf input, .rf button")?.focus();
    },
    choose(e) {
      const add = e.target.closest("[data-add]"); if (add) this.add(add.dataset.add, add.dataset.name);
      const act = e.target.closest("[data-act]"); if (act && this.s.at) this.act(act.dataset.act, this.s.at);
      const again = e.target.closest("[data-shuffle]"); if (again) { this.s.seed = Number(again.dataset.shuffle); this.send(); }
    },
    listed(list) {
      const { data, editors } = this.s; data.lists = [list, ...data.lists.filter(l => l.id !== list.id)];
      editors.took?.(list.id); editors.took = null; this.changed(true);
    },
    menus() {
      const menu = $("#m-rule"), box = $("#m-find"); if (!menu) return;
      const filter = () => { const q = box.value.trim().toLowerCase(); $$(".mi", menu).forEach(m => { m.hidden = !m.textContent.toLowerCase().includes(q); }); $$(".mgroup", menu).forEach(g => { g.hidden = !$$(".mi", g).some(m => !m.hidden); }); $("#m-none").hidden = $$(".mi", menu).some(m => !m.hidden); };
      box.addEventListener("input", filter);
      box.addEventListener("keydown", e => { if (e.key === "Enter") { e.preventDefault(); $$(".mi", menu).find(m => !m.hidden)?.click(); } if (e.key === "ArrowDown") { e.preventDefault(); e.stopPropagation(); $$(".mi", menu).find(m => !m.hidden)?.focus(); } });
      menu.addEventListener("toggle", e => { if (e.newState !== "open") return; box.value = ""; filter(); if (!matchMedia("(pointer: coarse)").matches) setTimeout(() => box.focus(), 60); });
    },

    /* what may be done with one row */
    act(what, { n, parent, by }) {
      const items = parent.items, i = items.indexOf(n);
      if (what === "up" && i > 0) items.splice(i - 1, 0, items.splice(i, 1)[0]);
      if (what === "down" && i < items.length - 1) items.splice(i + 1, 0, items.splice(i, 1)[0]);
      if (what === "copy") { const twin = structuredClone({ ...n, el: undefined }); (function forget(x) { delete x.el; x.items?.forEach(forget); })(twin); items.splice(i + 1, 0, twin); }
      if (what === "flip") n.not = !n.not;
      if (what === "wrap") items.splice(i, 1, { not: false, op: parent.op === "all" ? "any" : "all", items: [n] });
      if (what === "unwrap" && n.items && !n.not) items.splice(i, 1, ...n.items);
      if (what === "remove") { items.splice(i, 1); this.changed(true); const next = items[Math.min(i, items.length - 1)]; (next?.el.querySelector(".rm") || $(".rule-add button")).focus(); return; }
      this.changed(true); (by && n.el.isConnected ? n.el.querySelector(".s-more") : null)?.focus();
    },
    keys(e) {
      if (!e.altKey || !/^Arrow(Up|Down)$/.test(e.key)) return;
      const row = e.target.closest(".rrow, .rgroup"), found = row && row.place; if (!found || this.$refs.rules.dataset.readonly) return;
      e.preventDefault(); this.act(e.key === "ArrowUp" ? "up" : "down", found);
    },
    click(e) { const b = e.target.closest(".s-more"); if (!b) return; const place = b.closest(".rrow, .rgroup").place; this.s.at = { ...place, by: true }; $$("#m-row [data-only]").forEach(m => { m.hidden = m.dataset.only === "group" ? !place.n.items || place.n.not : m.dataset.only === "in" ? !place.n.not : place.n.not; }); },

    /* drawing; whoever has the focus keeps it */
    draw() {
      const list = this.$refs.rules, s = this.s, w = s.data.words, held = this.held();
      list.replaceChildren();
      s.top.items.forEach((n, i) => {
        const li = el("li", "rule" + (n.not ? " is-ex" : "") + (n.items ? " has-group" : ""));
        li.append(el("span", "join", n.not ? w.not : i ? (s.top.op === "all" ? w.and : w.or) : ""));
        li.append(this.node(n, s.top, `${s.top.op}[${i}]`));
        const left = el("div", "left"), num = el("span", "num", ""), bar = el("span", "bar thin " + (n.not ? "k4" : "k1")); num.dataset.left = i; bar.append(el("i")); left.title = s.top.op === "all" ? w.left : w.sofar; left.dataset.word = w.fit; left.append(num, bar); li.append(left);
        list.append(li);
      });
      this.empty = !s.top.items.length; this.$refs.none.hidden = !this.empty;
      if (list.dataset.readonly) $$("select,input,button", list).forEach(x => (x.disabled = true));
      if (s.said) this.counted(s.said);
      if (held) this.hold(held);
    },
    held() {
      const now = document.activeElement, row = now?.closest?.("[data-path]"); if (!row || !this.$refs.rules.contains(now)) return null;
      const same = $$("select,input,button", row).filter(x => x.closest("[data-path]") === row);
      return { path: plain(row.dataset.path), label: label(now), nth: same.indexOf(now) };
    },
    hold({ path, label: name, nth }) {
      const row = $$("[data-path]", this.$refs.rules).find(x => plain(x.dataset.path) === path); if (!row) return;
      const all = $$("select,input,button", row).filter(x => x.closest("[data-path]") === row);
      (all.filter(x => label(x) === name).sort((a, b) => Math.abs(all.indexOf(a) - nth) - Math.abs(all.indexOf(b) - nth))[0] || all[Math.min(nth, all.length - 1)])?.focus();
    },
    node(n, parent, path) { const at = n.not ? path + ".not" : path, x = n.items ? this.box(n, parent, at) : this.row(n, parent, at); x.place = { n, parent }; n.el = x; return x; },
    tools(n, parent, name) {
      const { editors, data } = this.s, w = data.words;
      const dots = editors.button("dots", `${w.more}: ${name}`, null, "btn ghost sm icon-only rm s-more"); dots.setAttribute("popovertarget", "m-row");
      return [dots, editors.button("x", `${n.items ? w.removeGroup : w.remove}: ${name}`, () => this.act("remove", { n, parent }))];
    },
    box(n, parent, path) {
      const { editors, data } = this.s, w = data.words, g = el("div", "rgroup" + (n.not ? " is-ex" : "")), top = el("div", "s-head");
      const pick = editors.select([["any", w.anyOf], ["all", w.allOf]], n.op, w.matchGroup, v => { n.op = v; this.changed(true); }); pick.classList.add("mini");
      g.setAttribute("role", "group"); g.setAttribute("aria-label", n.op === "any" ? w.anyOf : w.allOf); g.dataset.path = path;
      const alone = el("span", "s-alone push num"); alone.dataset.alone = path; alone.title = w.alone; top.append(pick); if (n.not && parent !== this.s.top) top.append(el("span", "s-not", w.not)); top.append(alone, ...this.tools(n, parent, n.op === "any" ? w.anyOf : w.allOf)); g.append(top);
      n.items.forEach((m, i) => g.append(this.node(m, n, `${path}.${n.op}[${i}]`)));
      const foot = el("div", "s-foot"), add = editors.more(w.addInside, () => { this.s.into = n; this.s.out = false; }); add.setAttribute("popovertarget", "m-rule"); foot.append(add, editors.more(w.addGroup, () => this.group(n))); foot.lastChild.classList.replace("add-in", "add-group"); g.append(foot); return g;
    },
    row(n, parent, path) {
      const { editors, data } = this.s, w = data.words, look = editors.look(n.q), row = el("div", "rrow" + (n.not ? " is-ex" : "")), tile = el("span", "tile s " + look.hue), box = el("div", "rf");
      tile.append(svg(look.icon)); row.dataset.path = path; if (n.not && parent !== this.s.top) box.append(el("span", "s-not", w.not));
      editors.edit[editors.head(n.q)](n.q, box);
      const alone = el("span", "s-alone num"); alone.dataset.alone = path; alone.title = w.alone;
      row.append(tile, box); if (parent !== this.s.top) row.append(alone); row.append(...this.tools(n, parent, editors.title(n.q))); return row;
    },

    /* answers */
    counted(said) {
      const s = this.s, about = said.exact ? "" : "≈ "; s.said = said;
      if (said.start != null) this.$refs.start.textContent = about + said.start.toLocaleString();
      $$("[data-left]", this.$refs.rules).forEach((x, i) => { const n = said.left[i]; x.textContent = n == null ? "" : about + n.toLocaleString(); x.parentNode.querySelector(".bar").style.setProperty("--v", (n && said.start ? n / said.start * 100 : 0) + "%"); });
      $$("[data-alone]", this.$refs.rules).forEach(x => { const n = said.alone[x.dataset.alone]; x.textContent = n == null ? "" : about + n.toLocaleString(); });
    },
    clearFault() { $$(".s-bad", this.$refs.rules).forEach(x => x.classList.remove("s-bad")); $$(".s-why", this.$refs.rules).forEach(x => x.remove()); $("#seg-error").replaceChildren(); },
    fault({ path, message, again }) {
      this.clearFault(); $("#live").removeAttribute("aria-busy");
      if (again) { clearTimeout(this.s.timer); this.s.timer = setTimeout(() => this.send(), 3000); $("#live .big").textContent = "–"; $("#live .faint").textContent = message; }
      const hit = path && $$("[data-path]", this.$refs.rules).filter(x => path === x.dataset.path || path.startsWith(x.dataset.path + ".")).sort((a, b) => b.dataset.path.length - a.dataset.path.length)[0];
      if (!hit) { const p = el("p", "flash error"); p.setAttribute("role", "alert"); p.append(svg("alert-triangle"), el("span", "", message)); $("#seg-error").replaceChildren(p); return; }
      hit.classList.add("s-bad"); const why = el("span", "s-why", message); why.setAttribute("role", "alert"); (hit.querySelector(":scope > .rf") || hit).append(why);
    },
  }));
});
