/* The page of one journey: what is drawn, undone and saved, and what the keys do. The map and the list are drawn by
   journey-map.js, the forms by journey-panels.js; the definition itself is changed by journey-graph.js alone. */
document.addEventListener("alpine:init", () => {
  const { $, $$, el, svg, toast } = ui, fill = (text, ...parts) => parts.reduce((t, p) => t.replace("%s", p), text);
  const narrow = matchMedia("(max-width: 63.99rem)");

  Alpine.data("journey", () => ({
    view: narrow.matches ? "list" : "canvas", traffic: true, tracing: false,
    get canvas() { return this.view === "canvas"; }, get list() { return this.view === "list"; }, get isCanvas() { return String(this.canvas); }, get isList() { return String(this.list); },
    get cls() { return (this.traffic ? "traffic " : "") + (this.tracing ? "tracing" : ""); }, get trafficAria() { return String(this.traffic); },
    asCanvas() { this.view = "canvas"; this.$nextTick(() => { this.draw(); this.s.map.fit(); }); }, asList() { this.view = "list"; this.$nextTick(() => this.draw()); }, toggleTraffic() { this.traffic = !this.traffic; },
    init() {
      /* plain variables, not Alpine's: a definition is copied and compared, which its wrappers do not survive */
      const data = JSON.parse($("#journey-data").textContent), graph = journeyGraph(data.kinds);
      const s = this.s = { __v_skip: true, data, graph, d: data.definition, live: data.live, titles: {}, rules: {}, faults: [], figures: null, number: data.number, past: [], future: [], tag: "", tagged: 0, sel: "", panel: "", sheet: false, trace: null, timer: 0, busy: false, dirty: false, way: null };
      s.map = journeyMap(s, { pick: id => this.pick(id), add: (way, by) => this.ask(way, by), zoom: z => { $("#j-zoom").textContent = Math.round(z * 100) + "%"; }, focus: id => this.focus(id) });
      const rules = journeyRules(data); s.panels = journeyPanels(s, s.map, journeyForms(data, rules), { change: (f, tag) => this.change(f, tag), panel: name => this.panel(name), focus: (id, open) => this.focus(id, open), trace: () => this.trace(), show: id => { if (this.canvas) s.map.show(id); $(`.jn[data-id="${id}"]`)?.focus({ preventScroll: this.canvas }); } });
      if (!s.d.nodes?.[s.d.start]) s.d = { ...s.d, start: "start", nodes: { ...s.d.nodes, start: { kind: "event" } } };
      this.look().then(() => { this.draw(); s.map.fit(); if (!s.panel) s.panels.show("settings"); this.state(); const first = new URLSearchParams(location.search); if (first.get("panel")) this.panel(first.get("panel")); if (s.d.nodes[first.get("step")]) this.focus(first.get("step"), true); });
      this.pan(); this.buttons();
      document.addEventListener("keydown", e => this.keys(e));
      addEventListener("beforeunload", e => { if (s.dirty || s.busy) e.preventDefault(); });
      narrow.addEventListener("change", () => (narrow.matches ? this.asList() : this.asCanvas()));
    },
    draw() { this.s.map.draw(this.list); },
    /* titles, faults and numbers; the numbers again while the journey is live and somebody looks */
    async look(again) {
      const s = this.s; try { const answer = await fetch(s.data.urls.look + (s.shown ? "?version=" + s.shown : "")); if (answer.ok) { const found = await answer.json(); s.figures = found.figures; if (!again) { s.titles = found.titles; s.rules = found.rules; s.faults = found.faults; } else this.draw(); } } catch { /* the next look may be luckier */ }
      if (s.data.isLive) s.looking = setTimeout(() => (document.hidden ? document.addEventListener("visibilitychange", () => this.look(true), { once: true }) : this.look(true)), 15000);
    },

    /* changing: each change keeps what was before it; quick changes of one setting count as one */
    change(make, tag = "") {
      const s = this.s; if (!s.data.canEdit) return; const was = s.d, next = make(s.d); if (next === was || JSON.stringify(next) === JSON.stringify(was)) return;
      if (!tag || s.tag !== tag || Date.now() - s.tagged > 1500) { s.past.push(was); if (s.past.length > 100) s.past.shift(); } s.tag = tag; s.tagged = Date.now(); s.future = []; s.d = next; this.changed(!!tag); },
    changed(typing) { const s = this.s; s.dirty = true; if (s.sel && !s.d.nodes[s.sel]) s.sel = ""; clearTimeout(s.drawing); if (typing) s.drawing = setTimeout(() => this.draw(), 150); else this.draw(); this.state(); clearTimeout(s.timer); s.timer = setTimeout(() => this.save(), 600); },
    back(from, to) { const s = this.s; if (!from.length) return; to.push(s.d); s.d = from.pop(); s.tag = ""; this.changed(); this.panel(s.sel ? "step" : "settings"); },
    undo() { this.back(this.s.past, this.s.future); }, redo() { this.back(this.s.future, this.s.past); },
    state() {
      const s = this.s, w = s.data.said.words; if (s.data.canEdit) { $("#j-undo").disabled = !s.past.length; $("#j-redo").disabled = !s.future.length; const n = s.live ? s.graph.changes(s.live, s.d) : 0; $("#j-changes").textContent = n ? fill(n === 1 ? w.change : w.changes, n) : ""; const publish = $("#j-publish"); if (publish) { publish.disabled = !!s.live && !n; publish.title = publish.disabled ? w.published : ""; } }
      const fix = $("#j-fix"), bad = s.faults.some(f => f.serious); fix.hidden = !s.faults.length; fix.classList.toggle("bad", bad); fix.querySelector("span").textContent = fill(w.toFix, s.faults.length);
    },
    say(text) { $("#j-saved").textContent = text; },

    /* saving what is drawn; of two windows the second is told, and nothing is lost silently */
    async save(over) {
      const s = this.s, w = s.data.said.words; if (s.busy) { s.timer = setTimeout(() => this.save(), 200); return false; } if (!s.data.canEdit || (s.conflict && !over)) return false;
      s.busy = true; s.dirty = false; this.say(w.saving); const sent = s.d;
      try {
        const answer = await fetch(s.data.urls.save, { method: "POST", headers: { ...JSON.parse(document.body.getAttribute("hx-headers")), "Content-Type": "application/json" }, body: JSON.stringify({ definition: sent, number: over ?? s.number }) });
        const found = await answer.json();
        if (answer.status === 409) { s.conflict = found.number; s.dirty = true; const box = $("#j-conflict"); box.hidden = false; box.querySelector("span").textContent = found.message; this.say(w.notSaved); s.busy = false; return false; }
        if (!answer.ok) throw new Error(found.message || "");
        s.conflict = null; $("#j-conflict").hidden = true; s.number = found.number; s.titles = found.titles; s.rules = found.rules; s.faults = found.faults; this.say(fill(w.saved, found.at)); this.draw(); s.panels.refresh(); this.state();
      } catch (error) { s.dirty = true; this.say(error.message || w.lost); clearTimeout(s.timer); s.timer = setTimeout(() => this.save(), 5000); s.busy = false; return false; }
      s.busy = false; return s.d === sent || this.save();
    },
    async settled() { const s = this.s; clearTimeout(s.timer); while (s.busy) await new Promise(done => setTimeout(done, 50)); return s.dirty ? this.save() : !s.conflict; },

    /* choosing */
    panel(name) { const s = this.s, now = document.activeElement; if (now && !now.closest("#j-side, .menu")) s.by = now; if (name !== "step" && s.sel) { s.sel = ""; s.map.mark(); } s.sheet = true; s.panels.show(name); if (narrow.matches) $("#j-close").focus(); },
    pick(id) { const s = this.s; s.sel = id; s.map.mark(); s.sheet = true; s.panels.show("step"); if (narrow.matches) $("#j-close").focus(); },
    close() { const s = this.s, id = s.sel; s.sheet = false; $("#j-side").classList.remove("open"); s.sel = ""; s.map.mark(); s.panels.show("settings"); s.sheet = false; $("#j-side").classList.remove("open"); (id ? $(`.jn[data-id="${id}"]`) : s.by?.isConnected && s.by.checkVisibility() ? s.by : $(".jn"))?.focus(); },
    focus(id, open) { const s = this.s; if (open) this.pick(id); if (this.canvas) s.map.show(id); if (!open || !narrow.matches) $(`.jn[data-id="${id}"]`)?.focus({ preventScroll: this.canvas }); },
    /* the way of the person in the test, lit up on the map */
    trace() {
      const s = this.s, told = $("#j-panel [data-trace]"), was = s.trace; s.trace = null;
      if (told && s.panel === "test") { const path = JSON.parse(told.dataset.trace); s.trace = { lit: new Set(path.map(p => p.node)), ways: new Set(path.map(p => `${p.node}/${p.way || ""}`)), here: told.dataset.here }; }
      const past = $("#j-panel [data-replay]"), before = s.past_figures; s.past_figures = past && s.panel === "replay" ? JSON.parse(past.dataset.replay) : null;
      this.tracing = !!s.trace; if (was || s.trace || before || s.past_figures) this.draw();
    },

    /* adding, removing, moving */
    ask(way, by) {
      const s = this.s, menu = $("#m-add"), join = $("#m-join"), open = !s.graph.target(s.d, way); s.way = way; menu._by = by;
      const to = open ? s.graph.joinable(s.d, way) : []; join.hidden = !to.length; join.lastElementChild.replaceChildren(...to.map(id => { const b = el("button", "mi " + s.map.look(s.d.nodes[id]).hue), t = el("span", "tile s"); b.type = "button"; t.append(svg(s.map.look(s.d.nodes[id]).icon)); b.append(t, s.map.said(id).title); b.addEventListener("click", () => this.change(d => s.graph.join(d, way, id))); return b; }));
      menu.showPopover(); setTimeout(() => $("button.mi", menu).focus(), 30);
    },
    after(id) { const s = this.s, all = s.graph.ways(s.d.nodes[id]); if (!all.length) return; const way = all.find(x => !x.next) || all[0]; this.ask({ from: id, slot: way.slot }, $(`.jn[data-id="${id}"]`)); },
    add(kind, channel) {
      const s = this.s, w = s.data.said.words, node = s.graph.blank(kind, s.data.said.branches), before = Object.keys(s.d.nodes).length; if (channel) node.channel = channel;
      const made = s.graph.insert(s.d, s.way, node); this.change(() => made.d); const gone = before + 1 - Object.keys(made.d.nodes).length; this.focus(made.id, true); if (gone > 0) this.offer(fill(w.wentAway, gone), "");
      if (!narrow.matches) $("#j-panel input, #j-panel select, #j-panel button")?.focus();
    },
    remove(id) {
      const s = this.s, w = s.data.said.words; if (id === s.d.start || !s.data.canEdit) return; const title = s.map.said(id).title, before = Object.keys(s.d.nodes).length, near = s.graph.into(s.d, id)[0]?.from || s.d.start;
      this.change(d => s.graph.remove(d, id)); const more = before - 1 - Object.keys(s.d.nodes).length; s.sel = ""; this.panel("settings"); s.sheet = false; $("#j-side").classList.remove("open"); this.focus(near); this.offer(fill(w.deleted, title), more > 0 ? fill(w.deletedMore, more) : "");
    },
    offer(title, body) { const s = this.s; toast({ title, body, action: s.data.said.words.undo, act: () => this.undo() }); },
    twin(id) { const s = this.s, node = s.graph.copy(s.d.nodes[id]); delete node.next; (node.branches || []).forEach(b => delete b.next); const way = s.graph.ways(s.d.nodes[id])[0]; if (!way) return; const made = s.graph.insert(s.d, { from: id, slot: way.slot }, node); this.change(() => made.d); this.focus(made.id, true); },
    shift(id, by) { const s = this.s; this.change(d => s.graph.shift(d, id, by)); $(`.jn[data-id="${id}"]`)?.focus(); },

    buttons() {
      const s = this.s, on = (sel, act) => $$(sel).forEach(b => b.addEventListener("click", e => act(b, e)));
      on("[data-panel]", b => this.panel(b.dataset.panel)); on("#j-undo", () => this.undo()); on("#j-redo", () => this.redo()); on("#j-close", () => this.close());
      on("[data-new]", b => this.add(b.dataset.new, b.dataset.channel)); on("[data-zoom]", b => ({ in: () => s.map.zoom(1.2), out: () => s.map.zoom(1 / 1.2), one: () => s.map.zoom(1 / s.map.view.z), fit: () => s.map.fit() })[b.dataset.zoom]());
      on("[data-step]", b => { const id = s.sel; if (id) ({ add: () => this.after(id), copy: () => this.twin(id), up: () => this.shift(id, -1), down: () => this.shift(id, 1), delete: () => this.remove(id) })[b.dataset.step](); });
      on("[data-conflict]", b => { if (b.dataset.conflict === "mine") this.save(s.conflict); else { s.dirty = false; location.reload(); } });
      on("#j-publish", () => this.check()); $("#j-shown")?.addEventListener("change", e => { s.shown = e.target.value; clearTimeout(s.looking); this.look(true); });
    },
    async check() { const s = this.s, dialog = $("#j-check"); if (!(await this.settled())) return; await htmx.ajax("GET", s.data.urls.check, { target: dialog, swap: "innerHTML" }); dialog.showModal(); $$("[data-go]", dialog).forEach(b => b.addEventListener("click", () => { dialog.close(); b.dataset.go ? this.focus(b.dataset.go, true) : this.panel("settings"); })); },

    pan() {
      const c = $(".canvas"), s = this.s; let drag = null;
      c.addEventListener("pointerdown", e => { if (e.target.closest("button, .ctools")) return; drag = [e.clientX - s.map.view.x, e.clientY - s.map.view.y]; c.setPointerCapture(e.pointerId); c.classList.add("grab"); });
      c.addEventListener("pointermove", e => { if (!drag) return; s.map.view.x = e.clientX - drag[0]; s.map.view.y = e.clientY - drag[1]; s.map.apply(); });
      ["pointerup", "pointercancel"].forEach(k => c.addEventListener(k, () => { drag = null; c.classList.remove("grab"); }));
      c.addEventListener("wheel", e => { e.preventDefault(); if (e.ctrlKey || e.metaKey) s.map.zoom(Math.exp(-e.deltaY / 300), e); else { s.map.view.x -= e.deltaX; s.map.view.y -= e.deltaY; s.map.apply(); } }, { passive: false });
      new ResizeObserver(() => { if (this.canvas) s.map.apply(); }).observe(c);
    },
    keys(e) {
      const s = this.s, key = e.key, on = e.target.closest?.(".jn"), writing = e.target.closest?.("input, textarea, select, dialog, .menu");
      if ((e.ctrlKey || e.metaKey) && key.toLowerCase() === "s") { e.preventDefault(); this.settled(); return; }
      /* back from its settings to the step itself */
      if (key === "Escape" && s.sel && e.target.closest?.("#j-panel")) { e.preventDefault(); narrow.matches ? this.close() : this.focus(s.sel); return; }
      if (writing) return;
      if ((e.ctrlKey || e.metaKey) && !e.altKey && ["z", "y"].includes(key.toLowerCase())) { e.preventDefault(); key.toLowerCase() === "y" || e.shiftKey ? this.redo() : this.undo(); return; }
      if (e.ctrlKey || e.metaKey) return;
      if (on && /^Arrow/.test(key)) { e.preventDefault(); e.altKey ? /Up|Down/.test(key) && s.data.canEdit && this.shift(on.dataset.id, key === "ArrowUp" ? -1 : 1) : this.walk(on.dataset.id, key); return; }
      if (e.altKey) return;
      if (on && s.data.canEdit && key.toLowerCase() === "a") { e.preventDefault(); this.after(on.dataset.id); }
      if (on && (key === "Delete" || key === "Backspace")) { e.preventDefault(); this.remove(on.dataset.id); }
      if (key === "Escape" && s.sheet) this.close();
      if (this.canvas) { if (key === "+" || key === "=") s.map.zoom(1.2); if (key === "-") s.map.zoom(1 / 1.2); if (key === "0") s.map.fit(); }
    },
    /* down and up along the lines, left and right among the ways of one split; in the list simply to the next */
    walk(id, key) {
      const s = this.s, g = s.graph, x = one => s.map.at(one)?.x || 0; let to;
      if (this.list) { const all = $$(".jlist .jn"), i = all.findIndex(b => b.dataset.id === id) + (/Down|Right/.test(key) ? 1 : -1); all[i]?.focus(); return; }
      if (key === "ArrowDown") { const next = g.ways(s.d.nodes[id]).filter(w => w.next); to = next.sort((a, b) => x(a.next) - x(b.next))[0]?.next; }
      if (key === "ArrowUp") to = g.into(s.d, id)[0]?.from;
      if (key === "ArrowLeft" || key === "ArrowRight") { const up = g.into(s.d, id)[0]?.from, all = up ? g.ways(s.d.nodes[up]).map(w => w.next).filter(Boolean).sort((a, b) => x(a) - x(b)) : []; to = all[all.indexOf(id) + (key === "ArrowRight" ? 1 : -1)]; }
      if (to) this.focus(to);
    },
  }));
});
