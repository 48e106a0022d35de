/* The editor of a mail: the paper is the real mail in a frame where nothing can run; what is written lands there. */
(() => {
  const form = document.getElementById("mail-form");
  if (!form) return;
  const { $, el } = window.ui;
  const frame = $("#e-frame"), paper = $("#e-paper"), look = $("#e-look"), show = $("#e-show"), sel = $("#e-sel"), hover = $("#e-hover"), person = $("#e-person"), segment = $("#e-segment");
  const words = JSON.parse($("#words-data").textContent);
  let page = null, dark = false, wait = 0, asked = 0, written = false, leaving = false;

  const block = id => id && page?.querySelector(".pb-" + CSS.escape(id));
  const idOf = node => [...(node?.classList ?? [])].find(name => /^pb-/.test(name))?.slice(3);
  const box = (mark, node) => {
    mark.hidden = !node;
    if (!node) return;
    const at = node.getBoundingClientRect();
    for (const [name, value] of [["--y", at.top], ["--x", at.left], ["--w", at.width], ["--h", at.height]]) mark.style.setProperty(name, value + "px");
  };
  const mark = () => { const node = block(window.blocks?.chosen); box(sel, node); if (node) $(".etag", sel).textContent = window.blocks.label; };
  const fit = () => {
    const root = frame.contentDocument?.documentElement;
    if (!root) return;
    frame.style.setProperty("--fh", "10px");
    frame.style.setProperty("--fh", Math.max(320, Math.min(root.scrollHeight, 12000)) + "px");
    mark();
  };
  /* mailboxes that darken mails turn light grounds over and leave pictures as they are */
  const shade = () => {
    const root = page?.documentElement;
    if (!root) return;
    root.style.filter = dark ? "invert(1) hue-rotate(180deg)" : "";
    page.querySelectorAll("img").forEach(image => { image.style.filter = dark ? "invert(1) hue-rotate(180deg)" : ""; });
    paper.classList.toggle("dark", dark);
  };
  frame.addEventListener("load", () => {
    page = frame.contentDocument;
    if (!page?.body) return;
    shade(); fit();
    page.querySelectorAll("img").forEach(image => image.addEventListener("load", fit));
    page.addEventListener("click", event => { event.preventDefault(); const id = idOf(event.target.closest(".pb")); if (id) window.blocks?.pick(id); });
    page.addEventListener("mousemove", event => box(hover, window.blocks && event.target.closest(".pb")));
    page.addEventListener("mouseleave", () => { hover.hidden = true; });
  });
  new ResizeObserver(fit).observe(paper);

  /* show what is written: the mail in its frame, and what stands around it */
  const round = async () => {
    const mine = (asked += 1);
    show.click();
    try {
      const answer = await fetch(form.dataset.look, { method: "POST", body: new FormData(form), headers: { "X-Requested-With": "fetch" } });
      const text = answer.ok ? await answer.text() : "";
      if (mine === asked) { const open = $("details", look)?.open; look.innerHTML = text; const fold = $("details", look); if (fold && open) fold.open = true; }
    } catch { if (mine === asked) look.replaceChildren(); }
  };
  const soon = () => { written = true; clearTimeout(wait); wait = setTimeout(round, 450); };
  form.addEventListener("input", event => { if (event.target.matches("[data-write], [name=name]")) soon(); });
  form.addEventListener("wrote", soon);
  form.addEventListener("picked", () => { mark(); block(window.blocks?.chosen)?.scrollIntoView({ block: "nearest" }); });
  form.addEventListener("submit", event => { if (event.submitter !== show) leaving = true; });
  addEventListener("beforeunload", event => { if (written && !leaving) { event.preventDefault(); event.returnValue = words.leave; } });

  /* a tag lands where the source is being written */
  document.addEventListener("click", event => {
    const button = event.target.closest("[data-insert]"), source = $("#mjml");
    if (!button || !source) return;
    source.focus();
    source.setRangeText(button.dataset.insert, source.selectionStart, source.selectionEnd, "end");
    source.dispatchEvent(new Event("input", { bubbles: true }));
  });
  document.addEventListener("click", event => {
    const button = event.target.closest("[data-mode]");
    if (!button) return;
    button.parentElement.querySelectorAll("[data-mode]").forEach(other => other.setAttribute("aria-pressed", other === button));
    const phone = button.dataset.mode === "phone";
    paper.classList.toggle("phone", phone); look.classList.toggle("phone", phone);
    setTimeout(fit, 260);
  });
  $("#e-dark").addEventListener("click", event => { dark = !dark; event.currentTarget.setAttribute("aria-pressed", dark); shade(); });

  /* one person after the other */
  const step = by => { const n = person.options.length; if (n) { person.selectedIndex = (person.selectedIndex + by + n) % n; round(); } };
  $("#e-before").addEventListener("click", () => step(-1));
  $("#e-after").addEventListener("click", () => step(1));
  person.addEventListener("change", round);
  segment.addEventListener("change", async () => {
    try {
      const answer = await fetch(`${form.dataset.people}?segment=${encodeURIComponent(segment.value)}`);
      const { people } = await answer.json();
      person.replaceChildren(...(people.length ? people : [{ id: "", name: words.nobody }]).map(one => { const option = el("option", "", one.name); option.value = one.id; return option; }));
      round();
    } catch { /* the people that were there stay */ }
  });
  round();
})();
