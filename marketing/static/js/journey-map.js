/* The map: real buttons placed by dagre over one SVG layer of lines, so that keyboard, screen readers, find-in-page and
   zoom all work; and the same steps as an ordered list. Both are drawn from the definition by the same functions. */
(() => {
  const { $, $$, el, svg } = ui, NS = "http://www.w3.org/2000/svg";
  const mk = (tag, attrs = {}, cls) => { const n = document.createElementNS(NS, tag); for (const k in attrs) n.setAttribute(k, attrs[k]); if (cls) n.setAttribute("class", cls); return n; };
  const SIZES = { card: [276, 62], pill: [232, 42], message: [276, 62], told: [276, 104], open: [28, 28] };
  const fill = (text, ...parts) => parts.reduce((t, p) => t.replace("%s", p), text);

  /* `s` is the state of the page: d, titles, faults, figures, sel, trace; `on` says what was pressed */
  window.journeyMap = (s, on) => {
    const { data, graph } = s, w = data.said.words, words = n => n.toLocaleString();
    const kindOf = node => data.kinds[node.kind] || {};
    const look = node => node.kind === "send" ? { icon: data.said.channelIcons[node.channel] || "send", hue: data.said.channelHues[node.channel] || "k1", label: data.said.channels[node.channel] || kindOf(node).label } : { icon: kindOf(node).icon || "help", hue: kindOf(node).hue || "k8", label: kindOf(node).label || "" };
    const said = id => s.titles[id] || { title: s.d.nodes[id].label || look(s.d.nodes[id]).label, sub: "" };
    const told = id => figures()?.[id]?.numbers?.length;
    /* while the time machine is open, its numbers stand in for those of the live version */
    const figures = () => s.past_figures || s.figures;
    const faults = id => s.faults.filter(f => f.node === id);
    const shape = id => { const k = kindOf(s.d.nodes[id]); return k.shape === "message" && told(id) ? "told" : k.shape || "card"; };
    const wayName = way => `${way.from}/${way.slot}`;

    const button = id => {
      const node = s.d.nodes[id], k = kindOf(node), l = look(node), text = said(id), f = figures()?.[id], bad = faults(id);
      const b = el("button", `jn ${l.hue} ${k.shape === "pill" ? "t-pill" : ""} ${k.group === "end" ? "t-end" : ""} ${k.group === "trigger" ? "t-trigger" : ""}`); b.type = "button"; b.dataset.id = id; b.setAttribute("aria-pressed", id === s.sel);
      if (s.trace?.lit.has(id)) b.classList.add("lit"); if (s.trace?.here === id) b.classList.add("here");
      const h = el("span", "jh"), tile = el("span", "tile s"), words_ = el("span", "grow"); tile.append(svg(l.icon)); words_.append(el("b", "", text.title)); if (text.sub && k.shape !== "pill") words_.append(el("small", "", text.sub)); h.append(tile, words_); b.title = [text.title, text.sub].filter(Boolean).join(" · ");
      if (f?.count) h.append(el("span", "cnt num", f.count));
      if (bad.length) { const i = el("span", "iss" + (bad.some(x => x.serious) ? " bad" : "")), t = fill(w.issue, bad[0].message); i.title = t; i.append(svg("alert-triangle"), el("span", "sr", t)); i.firstChild.classList.add("icon-xs"); h.append(i); }
      b.append(h);
      if (told(id)) { const st = el("span", "jst"); f.numbers.forEach(([v, label]) => { const c = el("span"); c.append(el("i", "num", v), label); st.append(c); }); b.append(st); }
      b.addEventListener("click", () => on.pick(id)); return b;
    };
    const plus = (way, label, open) => { const p = el("button", "plus" + (open ? " open" : "")); p.type = "button"; p.dataset.way = wayName(way); p.setAttribute("aria-label", label); p.setAttribute("aria-haspopup", "menu"); p.append(svg("plus")); p.addEventListener("click", () => on.add(way, p)); return p; };
    const share = (id, way, all) => { const n = figures()?.[id]?.ways?.[way.slot || "next"]; return n == null || !all ? "" : ` ${Math.round(100 * n / all)}%`; };
    const labelOf = way => way.label || data.said.branches[way.slot] || way.slot;

    /* dagre places the steps; an open end takes part as a small step of its own */
    let placed = { key: "" };
    const place = () => {
      const G = new dagre.graphlib.Graph({ multigraph: true }); G.setGraph({ rankdir: "TB", nodesep: 44, ranksep: 50, marginx: 0, marginy: 0 }); G.setDefaultEdgeLabel(() => ({}));
      const ids = graph.order(s.d).map(o => o.id), edges = [];
      ids.forEach(id => { const [width, height] = SIZES[shape(id)]; G.setNode(id, { width, height }); });
      ids.forEach(from => graph.ways(s.d.nodes[from]).forEach(way => {
        let to = way.next && s.d.nodes[way.next] ? way.next : null; const open = !to;
        if (open) { if (!data.canEdit && !graph.splits(s.d.nodes[from])) return; to = `?${from}/${way.slot}`; G.setNode(to, { width: SIZES.open[0], height: SIZES.open[1] }); }
        edges.push({ from, to, way, open }); G.setEdge(from, to, {}, way.slot || "next");
      }));
      /* placing takes long for a large journey, so it is done again only when steps, sizes or lines changed */
      const key = JSON.stringify([G.nodes().map(id => [id, G.node(id).width, G.node(id).height]), G.edges()]); if (key === placed.key) { edges.forEach((e, i) => { e.points = placed.edges[i].points; }); return { ...placed, ids, edges }; }
      dagre.layout(G); const P = {}; G.nodes().forEach(id => { P[id] = G.node(id); });
      edges.forEach(e => { e.points = G.edge({ v: e.from, w: e.to, name: e.way.slot || "next" }).points; });
      return placed = { key, ids, edges, P, W: G.graph().width || 276, H: G.graph().height || 62 };
    };
    const bent = points => { /* a line through points with round corners */
      let d = `M${points[0].x},${points[0].y}`;
      for (let i = 1; i < points.length - 1; i++) { const a = points[i - 1], b = points[i], c = points[i + 1], r = 12, la = Math.hypot(b.x - a.x, b.y - a.y) || 1, lc = Math.hypot(c.x - b.x, c.y - b.y) || 1, ra = Math.min(r, la / 2), rc = Math.min(r, lc / 2); d += ` L${b.x + (a.x - b.x) * ra / la},${b.y + (a.y - b.y) * ra / la} Q${b.x},${b.y} ${b.x + (c.x - b.x) * rc / lc},${b.y + (c.y - b.y) * rc / lc}`; }
      const z = points[points.length - 1]; return `${d} L${z.x},${z.y}`;
    };
    const lines = L => {
      const inward = {}; L.edges.forEach(e => { inward[e.to] = (inward[e.to] || 0) + 1; });
      const top = Math.max(1, ...Object.values(figures() || {}).map(f => f.passed || 0));
      return L.edges.map(e => {
        const a = L.P[e.from], b = L.P[e.to], x1 = a.x, y1 = a.y + a.height / 2, x2 = b.x, y2 = b.y - b.height / 2, label = graph.splits(s.d.nodes[e.from]) ? labelOf(e.way) : "";
        const near = y2 > y1 && y2 - y1 < 90, straight = Math.abs(x2 - x1) < 2, my = y1 + (y2 - y1) * (label ? .42 : .5), r = Math.min(12, Math.abs(x2 - x1) / 2), sg = Math.sign(x2 - x1);
        /* a long line goes down beside the steps between, where dagre left room for it */
        const xm = near ? x2 : e.points[Math.floor(e.points.length / 2)].x, side = Math.sign(xm - x1), yo = y1 + 24, yi = y2 - 22;
        const d = !near ? bent([[x1, y1], [x1, yo], [xm, yo], [xm, yi], [x2, yi], [x2, y2]].map(([x, y]) => ({ x, y }))) : straight ? `M${x1},${y1} V${y2}` : `M${x1},${y1} V${my - r} Q${x1},${my} ${x1 + sg * r},${my} H${x2 - sg * r} Q${x2},${my} ${x2},${my + r} V${y2}`;
        const path = mk("path", { d }, "jline" + (y2 <= y1 ? " back" : "")), shared = inward[e.to] > 1;
        let px = x2, py = straight ? (y1 + y2) / 2 : my + (y2 - my) * .5 + 2; if (straight && label) py = y1 + (y2 - y1) * .72;
        if (!near) { px = xm; py = (yo + yi) / 2; } else if (shared) { px = straight ? x1 : x1 + (x2 - x1) * (label ? .86 : .5); py = straight ? y1 + (y2 - y1) * (label ? .62 : .3) : my; } if (e.open) { px = b.x; py = b.y; }
        const all = graph.ways(s.d.nodes[e.from]).reduce((n, way) => n + (figures()?.[e.from]?.ways?.[way.slot || "next"] || 0), 0), n = figures()?.[e.from]?.ways?.[e.way.slot || "next"] || 0;
        const lit = s.trace?.ways.has(wayName({ from: e.from, slot: e.way.slot })); if (lit) path.classList.add("lit");
        const text = label ? label + share(e.from, e.way, all) : "", wide = Math.min(88, text.length * 3.6 + 12);
        return { ...e, path, band: n ? mk("path", { d, "stroke-width": Math.max(4, 26 * n / top) }, "band") : null, text, lx: near ? (straight ? x1 : x1 + (x2 - x1) * (shared ? .42 : .5)) : Math.abs(xm - x1) < 2 ? x1 : x1 + side * Math.min(Math.max(wide + 14, 40), Math.abs(xm - x1) / 2), ly: straight ? y1 + 15 : near ? my : yo, px, py };
      });
    };

    const world = $(".world"), edgesBox = $(".jedges"), view = { x: 0, y: 0, z: 1 }; let L = null;
    const drawMap = () => {
      L = place(); world.style.width = L.W + "px"; world.style.height = L.H + "px"; ["width", "height"].forEach((k, i) => edgesBox.setAttribute(k, [L.W, L.H][i])); edgesBox.setAttribute("viewBox", `0 0 ${L.W} ${L.H}`);
      $$(".jn, .plus, .jl", world).forEach(x => x.remove()); const all = lines(L), bands = mk("g"), paths = mk("g"); edgesBox.replaceChildren(bands, paths);
      L.ids.forEach(id => {
        const b = button(id), p = L.P[id]; ["x", "y", "w", "h"].forEach((k, i) => b.style.setProperty("--" + k, [p.x - p.width / 2, p.y - p.height / 2, p.width, p.height][i] + "px")); world.append(b);
        all.filter(e => e.from === id).forEach(e => {
          if (e.band) bands.append(e.band); paths.append(e.path);
          if (e.text) { const l = el("span", "jl", e.text); l.style.left = e.lx + "px"; l.style.top = e.ly + "px"; world.append(l); }
          if (!data.canEdit) return; const from = said(id).title + (e.text ? `, ${e.text}` : ""), label = e.open ? fill(w.addAfter, from) : fill(w.addBetween, from, said(e.to).title), b2 = plus({ from: id, slot: e.way.slot }, label, e.open); b2.style.left = e.px + "px"; b2.style.top = e.py + "px"; world.append(b2);
        });
      });
      apply();
    };
    const canvas = $(".canvas");
    const apply = () => { world.style.transform = `translate(${view.x}px,${view.y}px) scale(${view.z})`; world.style.setProperty("--iz", Math.max(1, 1 / view.z)); [["--gx", view.x + "px"], ["--gy", view.y + "px"], ["--gs", 22 * view.z + "px"]].forEach(([k, v]) => canvas.style.setProperty(k, v)); world.dataset.ready = ""; on.zoom(view.z); mini(); };
    const fit = () => { if (!L || !canvas.clientWidth) return; const pad = 28, room = canvas.clientHeight - 46; view.z = Math.max(.6, Math.min(1, (canvas.clientWidth - pad * 2) / L.W, (room - pad * 2) / L.H)); view.x = (canvas.clientWidth - L.W * view.z) / 2; if (L.W * view.z > canvas.clientWidth) view.x = canvas.clientWidth / 2 - L.P[s.d.start].x * view.z; view.y = Math.max(pad, (room - L.H * view.z) / 2); apply(); };
    const zoom = (f, e) => { const c = canvas.getBoundingClientRect(), px = e ? e.clientX - c.left : c.width / 2, py = e ? e.clientY - c.top : c.height / 2, z = Math.min(1.6, Math.max(.35, view.z * f)); view.x = px - (px - view.x) * z / view.z; view.y = py - (py - view.y) * z / view.z; view.z = z; apply(); };
    /* bring a step into sight without moving more than needed */
    const show = id => { const p = L?.P[id]; if (!p || !canvas.clientWidth) return; const m = 34, l = view.x + (p.x - p.width / 2) * view.z, t = view.y + (p.y - p.height / 2) * view.z, r = l + p.width * view.z, b = t + p.height * view.z; if (l < m) view.x += m - l; else if (r > canvas.clientWidth - m) view.x -= r - canvas.clientWidth + m; if (t < m) view.y += m - t; else if (b > canvas.clientHeight - 76) view.y -= b - canvas.clientHeight + 76; apply(); };
    const mini = () => {
      const m = $(".minimap"); if (!m || !L) return; const k = Math.min(132 / L.W, 92 / L.H), W = L.W * k + 16, H = L.H * k + 16; m.setAttribute("viewBox", `0 0 ${W} ${H}`); m.setAttribute("width", W); m.setAttribute("height", H);
      m.replaceChildren(...L.ids.map(id => { const p = L.P[id]; return mk("rect", { x: 8 + (p.x - p.width / 2) * k, y: 8 + (p.y - p.height / 2) * k, width: p.width * k, height: p.height * k, rx: 1.5 }, `mn ${look(s.d.nodes[id]).hue}${id === s.sel ? " on" : ""}`); }));
      m.append(mk("rect", { x: Math.max(1, 8 - view.x / view.z * k), y: Math.max(1, 8 - view.y / view.z * k), width: Math.min(W - 2, canvas.clientWidth / view.z * k), height: Math.min(H - 2, canvas.clientHeight / view.z * k), rx: 3 }, "mv"));
    };

    /* the list: a step after the other, ways as lists of their own */
    const drawList = () => {
      const seen = new Set(), host = $(".jlist > ol");
      const add = way => { const b = el("button", "btn ghost sm jadd"); b.type = "button"; b.dataset.way = wayName(way); b.setAttribute("aria-haspopup", "menu"); b.append(svg("plus"), w.addOn); const t = said(way.from).title; b.setAttribute("aria-label", `${w.addOn}: ${fill(w.addAfter, way.label ? `${t}, ${way.label}` : t)}`); b.addEventListener("click", () => on.add(way, b)); return b; };
      const rest = (id, box, way) => {
        while (id && s.d.nodes[id]) {
          if (seen.has(id)) { const li = el("li"), go = el("button", "link jgo", fill(w.goOn, said(id).title)); const to = id; go.type = "button"; go.addEventListener("click", () => on.focus(to)); li.append(go); box.append(li); return; }
          seen.add(id); const li = el("li"); li.append(button(id)); box.append(li); const ways = graph.ways(s.d.nodes[id]);
          if (graph.splits(s.d.nodes[id])) { const all = ways.reduce((n, x) => n + (figures()?.[id]?.ways?.[x.slot] || 0), 0); ways.forEach(x => { const group = el("div", "jway"), name = el("p", "via", labelOf(x) + share(id, x, all)), ol = el("ol"); name.id = `via-${id}-${x.slot}`; ol.setAttribute("aria-labelledby", name.id); group.append(name, ol); li.append(group); rest(x.next, ol, { from: id, slot: x.slot, label: labelOf(x) }); }); return; }
          if (!ways.length) return; way = { from: id, slot: "" }; id = ways[0].next;
        }
        const li = el("li"); li.append(data.canEdit ? add(way) : el("span", "faint sm", w.ends)); box.append(li);
      };
      host.replaceChildren(); rest(s.d.start, host, null);
    };
    const held = () => { const a = document.activeElement; return a?.dataset?.id && a.classList.contains("jn") ? `.jn[data-id="${a.dataset.id}"]` : a?.dataset?.way ? `[data-way="${a.dataset.way}"]` : ""; };
    return {
      draw(listing) { const keep = held(); if (listing) { $$(".jn, .plus, .jl", world).forEach(x => x.remove()); drawList(); } else { $(".jlist > ol").replaceChildren(); drawMap(); } if (keep) $(keep)?.focus({ preventScroll: true }); },
      mark() { $$(".jn").forEach(b => b.setAttribute("aria-pressed", b.dataset.id === s.sel)); mini(); },
      at: id => L?.P[id], fit, zoom, show, apply, view, said, look, labelOf, kindOf,
    };
  };
})();
