/* Uploading a list from within the builder: the file goes up, a job reads it, and the list can be chosen. */
(() => {
  const { $ } = ui, form = $("#list-form"), said = $("#l-said");
  const wait = ms => new Promise(done => setTimeout(done, ms));
  const tell = (text, bad) => { said.textContent = text; said.className = bad ? "sm tone-bad" : "sm"; };
  async function follow(list) {
    for (let i = 0; i < 600; i++) {
      await wait(i < 10 ? 300 : 1500);
      const now = await (await fetch(form.dataset.state.replace("/0/", `/${list.id}/`))).json();
      if (now.state === "done") return now.list;
      if (now.state === "failed" || now.state === "stopped") throw new Error(now.error || form.dataset.failed);
    }
    throw new Error(form.dataset.failed);
  }
  form.addEventListener("submit", async e => {
    e.preventDefault(); const go = $("button[type=submit]", form); go.disabled = true; tell(form.dataset.reading);
    try {
      const answer = await fetch(form.action, { method: "POST", body: new FormData(form) });
      const body = (answer.headers.get("content-type") || "").includes("json") ? await answer.json() : {};
      if (!answer.ok) { tell([body.fault?.message || form.dataset.failed, body.fault?.remedy].filter(Boolean).join(" "), true); return; }
      const list = await follow(body.list);
      tell(`${form.dataset.done} ${list.people.toLocaleString()}` + (list.unknown ? ` · ${form.dataset.unknown} ${list.unknown.toLocaleString()}` : ""));
      document.dispatchEvent(new CustomEvent("list-read", { detail: list })); form.reset();
      await wait(900); form.closest("dialog").close(); tell("");
    } catch (error) { tell(error.message || form.dataset.failed, true); } finally { go.disabled = false; }
  });
})();
