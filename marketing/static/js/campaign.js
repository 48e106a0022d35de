/* Mails on screen: a frame as tall as its mail, and a phone's width. */
(() => {
  const fit = frame => {
    const page = frame.contentDocument?.documentElement;
    if (!page) return;
    /* a page is never lower than its frame: what it grew to before must not hold it up */
    if (page.scrollHeight > 40) frame.style.setProperty("--h", "41px");
    if (page.scrollHeight > 40) frame.style.setProperty("--h", Math.min(page.scrollHeight, 6000) + "px");
  };
  const follow = root => root.querySelectorAll("iframe[data-seen]").forEach(frame => {
    frame.addEventListener("load", () => { frame.style.removeProperty("--h"); fit(frame); });
    fit(frame);
  });
  follow(document);
  document.addEventListener("htmx:load", event => { if (event.target !== document.body) follow(event.target); });
  addEventListener("resize", () => document.querySelectorAll("iframe[data-seen]").forEach(fit));

  document.addEventListener("click", event => {
    const button = event.target.closest("[data-screen]");
    if (!button) return;
    const card = button.closest(".card");
    button.parentElement.querySelectorAll("[data-screen]").forEach(other => other.setAttribute("aria-pressed", other === button));
    card.querySelectorAll(".seen").forEach(seen => seen.classList.toggle("phone", button.dataset.screen === "phone"));
    card.querySelectorAll("iframe[data-seen]").forEach(frame => setTimeout(() => fit(frame), 260));
  });
})();
