/* What stands beside the map: the form of a step, the settings of the journey, what is to fix, and the panels that the
   server draws (a test with a person, the time machine, versions). */
(() => {
  const { $, $$, el, svg } = ui;

  window.journeyPanels = (s, map, forms, does) => {
    const { data, graph } = s, w = data.said.words, box = $("#j-panel"), side = $("#j-side");
    const head = (title, sub, icon, hue) => { $("#j-title").textContent = title; $("#j-kind").textContent = sub; const t = $("#j-tile"); t.className = "tile " + hue; t.replaceChildren(svg(icon)); };
    const fill = (text, ...parts) => parts.reduce((t, p) => t.replace("%s", p), text);
    const lock = () => { if (!data.canEdit) $$("input, select, textarea, button", box).forEach(x => { if (!x.dataset.always) x.disabled = true; }); };

    /* faults beside the settings that they are about */
    const mark = () => {
      $$(".error[data-fault]", box).forEach(x => x.remove()); $$("[aria-invalid]", box).forEach(x => x.removeAttribute("aria-invalid"));
      const node = s.panel === "step" ? s.sel : s.panel === "settings" ? "" : null; if (node === null) return;
      const general = []; $(".j-faults", box)?.remove();
      s.faults.filter(f => f.node === node).forEach(f => {
        const at = $$("[data-path]", box).find(x => x.dataset.path === f.field) || (f.field && $$("[data-path]", box).find(x => f.field.startsWith(x.dataset.path + ".") || f.field.startsWith(x.dataset.path + "[")));
        if (!at) { general.push(f); return; }
        const e = el("span", "error", [f.message, f.remedy].filter(Boolean).join(" ")); e.dataset.fault = ""; e.prepend(svg("alert-triangle")); e.firstChild.classList.add("icon-xs"); at.append(e);
        const c = at.querySelector("input, select, textarea"); if (c) { c.setAttribute("aria-invalid", "true"); e.id = "je-" + f.field.replace(/\W/g, "-"); c.setAttribute("aria-describedby", e.id); }
      });
      if (general.length) { const ul = el("ul", "j-faults"); general.forEach(f => ul.append(fault(f))); box.prepend(ul); }
    };
    const fault = (f, go) => {
      const li = el("li", f.serious ? "bad" : ""), t = el("span", "grow"); li.append(svg("alert-triangle"), t); t.append(el("span", "", f.message)); if (f.remedy) t.append(el("small", "", f.remedy));
      if (go) { const b = el("button", "link", w.goTo); b.type = "button"; b.setAttribute("aria-label", `${w.goTo}: ${f.node ? map.said(f.node).title : w.settings}`); b.dataset.always = "1"; b.addEventListener("click", () => (f.node ? does.focus(f.node, true) : does.panel("settings"))); li.append(b); } return li;
    };

    const numbers = id => { const f = s.figures?.[id]; if (!f) return null; const dl = el("dl", "j-nums"); (f.all || []).forEach(([v, label, url]) => { const d = el("div"), dd = el("dd", "num"); if (url) { const a = el("a", "link", v); a.href = url; a.setAttribute("aria-label", `${v} ${label}`); dd.append(a); } else dd.textContent = v; d.append(el("dt", "", label), dd); dl.append(d); }); return dl; };
    const step = () => {
      const id = s.sel, node = s.d.nodes[id]; if (!node) return settings();
      forms.begin(); const kind = map.kindOf(node), look = map.look(node), place = graph.order(s.d).findIndex(o => o.id === id) + 1;
      head(map.said(id).title, fill(w.step, look.label, place), look.icon, look.hue); $("#j-more").hidden = !data.canEdit; $$("#m-step [data-step]").forEach(b => { b.hidden = id === s.d.start && b.dataset.step !== "add"; });
      const all = [], set = change => { does.change(d => graph.set(d, id, change), "set " + id + Object.keys(change)); };
      const dl = numbers(id); if (dl) all.push(dl);
      if (id === s.d.start) all.push(forms.field("kind", w.kindOfStart, forms.select(Object.entries(data.said.triggers), node.kind, k => { does.change(d => graph.turn(d, id, graph.blank(k, data.said.branches))); does.panel("step"); $("#j-panel select").focus(); })));
      if (node.kind === "send") all.push(forms.field("channel", w.channel, forms.select(Object.entries(data.said.channels), node.channel, c => { does.change(d => graph.set(d, id, { channel: c, template: undefined, channel_id: undefined })); does.panel("step"); $("#j-panel select").focus(); })));
      const own = f => node.kind === "send" && /^(from_name|from_email|reply_to|utm_.*|plain_links)$/.test(f.key), seen = (kind.fields || []).filter(f => !own(f)), after = (kind.fields || []).filter(own), links = after.filter(f => /^(utm_|plain_links)/.test(f.key)), sender = after.filter(f => !links.includes(f));
      const asked = node.kind === "split_rule" ? { ...node, event: s.d.nodes[s.d.start]?.event } : node;  /* its tests are of the event that began the stay */
      all.push(...forms.settings(seen, asked, (change, f) => { set(change); if (f && /^every$/.test(f.key)) { does.panel("step"); $(`#j-panel [data-path="${f.key}"] select`)?.focus(); } }, s.rules[id]));
      if (node.kind === "send") all.push(content(node));
      all.push(...forms.settings(links, node, set));
      if (sender.length && (node.channel || "email") === "email") { const more = el("details", "j-fold"), sum = el("summary", "link", w.sender); sum.prepend(svg("chevron-right")); more.open = sender.some(f => node[f.key]); more.append(sum, ...forms.settings(sender, node, set)); all.push(more); }
      if (graph.splits(node)) all.push(ways(id, node, kind));
      all.push(forms.field("label", w.label, forms.input("text", node.label, v => set({ label: v || undefined }), { maxlength: 120, placeholder: map.said(id).title })));
      if (kind.hint) all.push(el("p", "hint faint xs", kind.hint));
      box.replaceChildren(...all); mark(); lock();
    };
    /* a subject as it reads: what is said where a value is missing, else the name of the value */
    const inWords = text => text.replace(/\{\{[^}]*?\bd(?:efault)?\((["'])(.*?)\1\)[^}]*\}\}/g, "$2").replace(/\{\{\s*([\w.]+)[^}]*\}\}/g, "[$1]").replace(/\{%.*?%\}/g, "");
    const content = node => {
      const found = data.options.template.find(t => t.id === node.template), row = el("div", "row wrap"); const link = (href, text, icon) => { const a = el("a", "btn sm"); a.href = href; a.target = "_blank"; a.rel = "noopener"; a.append(svg(icon), text); return a; };
      if (!found) { row.append(link(data.options.newTemplate, w.newContent, "plus")); return row; }
      if ((node.channel || "email") !== "email") { row.append(link(data.urls.template.replace("/0/", `/${found.id}/`), w.editContent, "pencil")); return row; }
      const mail = el("div", "mail"), top = el("div", "mail-h"), name = el("span", "grow trunc"), frame = el("div", "mail-f"), page = el("iframe"), acts = el("div", "mail-o");
      name.append(el("b", "", found.name), el("small", "", inWords(found.about))); top.append(name); page.src = data.urls.mail.replace("/0/", `/${found.id}/`); page.title = fill(w.preview, found.name); page.setAttribute("sandbox", ""); page.loading = "lazy"; page.tabIndex = -1; frame.append(page);
      acts.append(link(data.urls.template.replace("/0/", `/${found.id}/`), w.editContent, "pencil"), link(data.options.newTemplate, w.newContent, "plus")); mail.append(top, frame, acts); return mail;
    };
    const ways = (id, node, kind) => {
      const set = el("fieldset"), list = el("ol", "j-ways"), own = kind.leads === "own"; set.dataset.path = "branches"; set.append(el("legend", "", w.ways), list);
      const again = () => does.panel("step");
      node.branches.forEach((b, i) => {
        const li = el("li"), n = i + 1; li.append(forms.input("text", b.label, v => does.change(d => graph.setWay(d, id, b.key, { label: v || undefined }), "way" + id + b.key), { label: `${w.wayName} ${n}`, maxlength: 120, placeholder: data.said.branches[b.key] || b.key }));
        if (kind.branch_fields.some(f => f.key === "percent")) { const p = forms.input("number", b.percent, v => does.change(d => graph.setWay(d, id, b.key, { percent: forms.number(v) ?? undefined }), "pct" + id + b.key), { min: 0, max: 100, step: "any", label: `${w.share} ${n}`, cls: "num" }); li.append(p); }
        if (own && node.branches.length > 2) { const x = el("button", "btn ghost sm icon-only"); x.type = "button"; x.append(svg("x")); x.setAttribute("aria-label", `${w.removeWay}: ${b.label || b.key}`); x.addEventListener("click", () => { does.change(d => graph.dropWay(d, id, b.key)); again(); }); li.append(x); }
        if (kind.branch_fields.some(f => f.key === "rule")) {
          const asks = b.rule || b.where || i < node.branches.length - 1, r = asks ? forms.rule(b.rule, v => does.change(d => graph.setWay(d, id, b.key, { rule: v })), s.rules[`${id}/${b.key}`]) : el("p", "hint faint xs", w.otherwise); r.classList.add("wide"); li.append(r);
          const start = s.d.nodes[s.d.start], held = kind.branch_fields.find(f => f.key === "where");
          if (asks && held && (b.where || ["event", "api"].includes(start?.kind))) { const t = forms.field(`branches[${i}].where`, held.label, forms.tests(b.where, v => does.change(d => graph.setWay(d, id, b.key, { where: v }), "tst" + id + b.key), start?.event)); t.classList.add("wide"); li.append(t); }
        }
        li.dataset.path = `branches[${i}]`; list.append(li);
      });
      const optional = kind.optional.filter(k => !node.branches.some(b => b.key === k));
      if (own && node.branches.length < 20) { const b = el("button", "btn ghost sm", w.addWay); b.type = "button"; b.prepend(svg("plus")); b.addEventListener("click", () => { does.change(d => addWay(d, id)); again(); }); set.append(b); }
      optional.forEach(k => { const b = el("button", "btn ghost sm", `${w.addWay}: ${data.said.branches[k] || k}`); b.type = "button"; b.prepend(svg("plus")); b.addEventListener("click", () => { does.change(d => graph.addWay(d, id, { key: k, label: data.said.branches[k] })); again(); }); set.append(b); });
      kind.optional.filter(k => node.branches.some(b => b.key === k)).forEach(k => { const b = el("button", "btn ghost sm", `${w.removeWay}: ${data.said.branches[k] || k}`); b.type = "button"; b.prepend(svg("x")); b.addEventListener("click", () => { does.change(d => graph.dropWay(d, id, k)); again(); }); set.append(b); });
      return set;
    };
    /* a new way; shares are divided anew, and the way for everyone else stays last */
    const addWay = (d, id) => {
      const node = d.nodes[id], percent = node.branches.some(b => b.percent !== undefined), n = node.branches.length + 1;
      d = graph.addWay(d, id, { label: `${w.way} ${String.fromCharCode(64 + n)}` }); const all = d.nodes[id].branches;
      if (percent) { const each = Math.floor(100 / n); all.forEach((b, i) => { b.percent = i ? each : 100 - each * (n - 1); }); }
      if (node.kind === "split_many") { const other = all.findIndex(b => !b.rule && !b.where); if (other >= 0 && other < n - 1) all.splice(n - 2, 0, all.pop()); } return d;
    };

    /* the journey itself: its goal, other ways to end it, who may come in, and how many a day */
    const settings = () => {
      s.panel = "settings"; forms.begin(); head(w.settings, "", "adjustments-horizontal", "k6"); $("#j-more").hidden = true;
      const d = s.d, put = (key, value) => does.change(x => { x = graph.copy(x); if (value === undefined) delete x[key]; else x[key] = value; return x; }, "top" + key), again = () => settings();
      const sign = (now, save, name, blank) => {
        const what = !now ? "" : now.segment !== undefined ? (now.entered === false ? "leave" : "enter") : "event", wrap = el("div", "stack");
        wrap.append(forms.select([["", blank], ["event", data.said.triggers.event], ["enter", data.said.triggers.segment_enter], ["leave", data.said.triggers.segment_leave]], what, v => { save(!v ? undefined : v === "event" ? { event: "" } : { segment: null, ...(v === "leave" ? { entered: false } : {}) }, true); }, name));
        if (what === "event") { wrap.append(forms.chosenName(now.event, data.options.event.map(e => e.name), v => save({ ...now, event: v || "" }), w.event)); wrap.append(forms.tests(now.where, v => { const next = { ...now }; if (v) next.where = v; else delete next.where; now = next; save(next); }, now.event)); }
        else if (what) wrap.append(forms.chosen(data.options.segment.map(o => [o.id, o.name]), now.segment, v => save({ ...now, segment: v ? Number(v) : null }), w.segment));
        return wrap;
      };
      const entry = d.entry || {}, all = [], setEntry = change => { const next = { ...(s.d.entry || {}), ...change }; Object.keys(next).forEach(k => next[k] === undefined && delete next[k]); put("entry", Object.keys(next).length ? next : undefined); };
      all.push(forms.field("goal", w.goal, sign(d.goal, (v, redraw) => { put("goal", v); if (redraw) again(); }, w.goal, w.noGoal), w.goalHint));
      if (d.goal) { const i = el("input", "switch"), row = el("label", "sw-row"), t = el("span", "grow"); i.type = "checkbox"; i.setAttribute("role", "switch"); i.checked = d.goal.ends !== false; i.addEventListener("change", () => { const next = { ...s.d.goal }; if (i.checked) delete next.ends; else next.ends = false; put("goal", next); }); t.append(el("b", "", w.goalEnds)); row.append(t, i); all.push(row); }
      const exits = el("div", "stack"); (d.exits || []).forEach((one, i) => { const line = el("div", "j-exit"), x = el("button", "btn ghost sm icon-only"); x.type = "button"; x.append(svg("x")); x.setAttribute("aria-label", `${w.remove}: ${i + 1}`); x.addEventListener("click", () => { const next = s.d.exits.filter((_, n) => n !== i); put("exits", next.length ? next : undefined); again(); }); line.dataset.path = `exits[${i}]`; line.append(sign(one, (v, redraw) => { const next = [...s.d.exits]; if (v) next[i] = v; else next.splice(i, 1); put("exits", next.length ? next : undefined); if (redraw) again(); }, w.leaves, w.choose), x); exits.append(line); });
      const add = el("button", "btn ghost sm", w.addExit); add.type = "button"; add.prepend(svg("plus")); add.addEventListener("click", () => { put("exits", [...(s.d.exits || []), { event: "" }]); again(); }); if ((d.exits || []).length < 10) exits.append(add);
      all.push(forms.field("exits", w.leaves, exits, w.leavesHint));
      all.push(forms.field("entry.again", w.again, forms.select([["never", w.againNever], ["after", w.againAfter], ["always", w.againAlways]], entry.again || "never", v => { setEntry({ again: v === "never" ? undefined : v, days: v === "after" ? 30 : undefined }); again(); })));
      if (entry.again === "after") all.push(forms.field("entry.days", w.againDays, forms.input("number", entry.days, v => setEntry({ days: forms.number(v) ?? undefined }), { min: 1, max: 3660, step: 1 })));
      if (d.nodes[d.start]?.kind === "event") all.push(forms.field("entry.key", w.entryKey, forms.chosenName(entry.key, (data.options.event.find(e => e.name === d.nodes[d.start].event)?.properties || []).map(p => p.name), v => setEntry({ key: v || undefined })), w.entryKeyHint));
      all.push(forms.field("entry.rule", w.onlyWho, forms.rule(entry.rule, v => setEntry({ rule: v }), s.rules.entry)));
      all.push(forms.field("caps.per_day", w.perDay, forms.input("number", d.caps?.per_day, v => { const n = forms.number(v); put("caps", n == null ? undefined : { per_day: n }); }, { min: 1, step: 1 }), w.perDayHint));
      all.push(forms.field("holdout", w.holdout, forms.input("number", d.holdout, v => put("holdout", forms.number(v) || undefined), { min: 0, max: 50, step: "any" }), w.holdoutHint));
      box.replaceChildren(...all); mark(); lock();
    };
    const faults = () => {
      head(w.faults, fill(w.toFix, s.faults.length), "alert-triangle", "k3"); $("#j-more").hidden = true;
      if (!s.faults.length) { const p = el("p", "flash success"); p.append(svg("circle-check"), el("span", "", w.noFaults)); box.replaceChildren(p); return; }
      const ul = el("ul", "j-faults"); s.faults.forEach(f => ul.append(fault(f, true))); box.replaceChildren(ul);
    };
    const remote = name => {
      head(w["panel_" + name], "", { test: "test-pipe", replay: "history", versions: "versions" }[name], "k6"); $("#j-more").hidden = true;
      const host = el("div", "stack-16"); host.append(el("p", "faint sm", w.loading)); box.replaceChildren(host); htmx.ajax("GET", data.urls[name], { target: host, swap: "innerHTML" });
    };
    /* what is asked is asked of the draft as it stands on this page */
    box.addEventListener("htmx:configRequest", e => { if (e.detail.elt.closest("[data-drawn]")) e.detail.parameters.definition = JSON.stringify(s.d); });
    box.addEventListener("htmx:afterSwap", () => { does.trace(); const first = $("#j-try [name=move]"); if (first && !$$(":focus", box).length && s.tried) first.focus({ preventScroll: true }); });
    box.addEventListener("htmx:beforeRequest", e => { s.tried = e.detail.requestConfig.verb === "post"; });
    box.addEventListener("click", e => { const b = e.target.closest("[data-go]"); if (b) does.show(b.dataset.go); });
    box.addEventListener("change", e => { if (e.target.closest("[data-goes]") || e.target.id === "t-begins") e.target.form.requestSubmit(); });
    return {
      show(name) { s.panel = name; side.classList.toggle("open", s.sheet); ({ step, settings, faults })[name] ? ({ step, settings, faults })[name]() : remote(name); box.scrollTop = 0; does.trace(); },
      mark, refresh() { if (s.panel === "step") $("#j-title").textContent = map.said(s.sel).title; if (s.panel === "faults") faults(); else mark(); },
    };
  };
})();
