/* A journey's definition and what may be done to it. Nothing here touches the page: each change takes a definition and
   gives another, so that undoing is keeping the one before. A way is { from, slot }: slot is "" for the one way out of a
   step, or the key of a branch. A step is { id, to } with a new node that is not there yet. */
(() => {
  const copy = d => structuredClone(d);
  const START = "";

  window.journeyGraph = kinds => {
    const kind = node => kinds[node.kind] || { group: "action", leads: "one", branches: [], optional: [], fields: [], branch_fields: [] };
    const splits = node => Array.isArray(node.branches);
    /* the ways out of a node, with where each leads; an empty one is open */
    const ways = node => splits(node)
      ? node.branches.map(b => ({ slot: b.key, label: b.label || "", next: b.next || null, branch: b }))
      : kind(node).leads === "nothing" ? [] : [{ slot: "", label: "", next: node.next || null }];
    const lead = (d, { from, slot }, to) => {
      const node = d.nodes[from]; if (!node) return;
      if (!slot) { if (to) node.next = to; else delete node.next; return; }
      const b = node.branches.find(one => one.key === slot); if (b) { if (to) b.next = to; else delete b.next; }
    };
    const target = (d, { from, slot }) => ways(d.nodes[from]).find(w => w.slot === slot)?.next || null;
    const into = (d, id) => Object.keys(d.nodes).flatMap(from => ways(d.nodes[from]).filter(w => w.next === id).map(w => ({ from, slot: w.slot })));
    const reached = (d, first = d.start) => {
      const seen = new Set(), todo = [first];
      while (todo.length) { const id = todo.pop(); if (!id || seen.has(id) || !d.nodes[id]) continue; seen.add(id); ways(d.nodes[id]).forEach(w => todo.push(w.next)); }
      return seen;
    };
    /* steps in the order in which a person would meet them, first ways first */
    const order = d => {
      const seen = new Set(), out = [];
      const walk = (id, depth, via) => { if (!id || seen.has(id) || !d.nodes[id]) return; seen.add(id); out.push({ id, depth, via }); const all = ways(d.nodes[id]); all.forEach(w => walk(w.next, depth + (all.length > 1 ? 1 : 0), w.label)); };
      walk(d.start, 0, ""); Object.keys(d.nodes).forEach(id => walk(id, 0, "")); return out;
    };
    /* take out what nobody reaches any more; what nobody reached before stays, to be seen and dealt with */
    const prune = (d, before) => { const keep = reached(d); reached(before).forEach(id => { if (!keep.has(id)) delete d.nodes[id]; }); return d; };
    const fresh = d => { let id; do id = "n" + Math.random().toString(36).slice(2, 8); while (d.nodes[id]); return id; };
    const key = node => { const used = new Set(node.branches.map(b => b.key)); let n = node.branches.length; const name = i => "abcdefghijklmnopqrstuvwxyz"[i] || "way" + i; while (used.has(name(n))) n++; return name(n); };

    return {
      START, ways, kind, splits, target, into, order, reached, copy,
      /* a node as it is first drawn: what has a default has it, a split has its ways */
      blank(name, words) {
        const k = kinds[name], node = { kind: name };
        k.fields.forEach(f => { if (f.begin !== undefined) node[f.key] = structuredClone(f.begin); else if (f.required && f.default != null) node[f.key] = structuredClone(f.default); });
        if (k.branches.length) node.branches = k.branches.map(b => ({ key: b, label: words[b] || b }));
        if (k.leads === "own") node.branches = k.begin_ways.map(b => structuredClone(b));
        return node;
      },
      /* put a new step on a way: what followed there follows its first way. An end takes the place of what followed. */
      insert(d, way, node) {
        const before = d; d = copy(d); const id = fresh(d), after = target(d, way); d.nodes[id] = structuredClone(node);
        lead(d, way, id);
        const first = ways(d.nodes[id])[0]; if (first && after) lead(d, { from: id, slot: first.slot }, after);
        return { d: prune(d, before), id };
      },
      /* take a step out: whoever led to it leads to what its first way led to */
      remove(d, id) {
        if (id === d.start) return d;
        const before = d; d = copy(d); let after = ways(d.nodes[id])[0]?.next || null; if (after === id) after = null;
        into(d, id).forEach(way => lead(d, way, after)); delete d.nodes[id]; return prune(d, before);
      },
      join(d, way, to) { const before = d; d = copy(d); lead(d, way, to); return prune(d, before); },
      /* steps that a way may lead to without going round in a circle */
      joinable(d, way) { const before = new Set(Object.keys(d.nodes).filter(id => reached(d, id).has(way.from))); return order(d).map(o => o.id).filter(id => id !== d.start && id !== way.from && !before.has(id) && target(d, way) !== id); },
      /* one step up or down among steps with one way in and one way out */
      shift(d, id, by) {
        const chain = n => n && !splits(d.nodes[n]) && into(d, n).length === 1 && kind(d.nodes[n]).leads !== "nothing" && n !== d.start;
        const upper = by < 0 ? into(d, id)[0]?.from : id, lower = by < 0 ? id : ways(d.nodes[id])[0]?.next;
        if (!chain(upper) || !chain(lower)) return d;
        d = copy(d); const after = d.nodes[lower].next || null;
        into(d, upper).forEach(way => lead(d, way, lower)); lead(d, { from: lower, slot: "" }, upper); lead(d, { from: upper, slot: "" }, after); return d;
      },
      set(d, id, change) { d = copy(d); Object.entries(change).forEach(([k, v]) => { if (v === undefined) delete d.nodes[id][k]; else d.nodes[id][k] = structuredClone(v); }); return d; },
      setWay(d, id, slot, change) { d = copy(d); const b = d.nodes[id].branches.find(one => one.key === slot); Object.entries(change).forEach(([k, v]) => { if (v === undefined) delete b[k]; else b[k] = structuredClone(v); }); return d; },
      addWay(d, id, way) { d = copy(d); const node = d.nodes[id]; node.branches.push({ key: key(node), ...way }); return d; },
      dropWay(d, id, slot) { const before = d; d = copy(d); d.nodes[id].branches = d.nodes[id].branches.filter(b => b.key !== slot); return prune(d, before); },
      turn(d, id, node) { const before = d; d = copy(d); const was = d.nodes[id], next = ways(was)[0]?.next; d.nodes[id] = structuredClone(node); if (was.label) d.nodes[id].label = was.label; const first = ways(d.nodes[id])[0]; if (first && next) lead(d, { from: id, slot: first.slot }, next); return prune(d, before); },
      /* which steps and ways differ between two definitions */
      changes(a, b) {
        const ids = new Set([...Object.keys(a?.nodes || {}), ...Object.keys(b.nodes)]); let n = 0;
        ids.forEach(id => { if (JSON.stringify(a?.nodes?.[id]) !== JSON.stringify(b.nodes[id])) n++; });
        ["goal", "exits", "entry", "caps", "holdout"].forEach(k => { if (JSON.stringify(a?.[k] ?? null) !== JSON.stringify(b[k] ?? null)) n++; }); return n;
      },
    };
  };
})();
