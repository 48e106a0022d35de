/* Import: the file that was chosen or dropped, and lists that renew themselves when a job ends. */
document.addEventListener("alpine:init", () => {
  const size = n => (n < 1e6 ? `${Math.max(1, Math.round(n / 1e3))} kB` : n < 1e9 ? `${(n / 1e6).toFixed(1)} MB` : `${(n / 1e9).toFixed(2)} GB`);
  Alpine.data("upload", () => ({
    title: "", detail: "", isOver: false, sending: false,
    init() { this.title = this.$root.querySelector("[data-empty]").dataset.empty; this.detail = this.$root.querySelector(".d-drop small").textContent; },
    get dropClass() { return this.isOver ? "over" : ""; },
    chosen() { const file = this.$refs.file.files[0]; if (!file) return; this.title = file.name; this.detail = size(file.size); },
    over(e) { e.preventDefault(); this.isOver = true; },
    leave() { this.isOver = false; },
    drop(e) { e.preventDefault(); this.isOver = false; if (e.dataTransfer.files.length) { this.$refs.file.files = e.dataTransfer.files; this.chosen(); } },
    send() { this.sending = true; },
  }));
  Alpine.data("reloadOnEnd", () => ({
    init() { document.body.addEventListener("job-ended", () => setTimeout(() => { if (!document.querySelector("dialog[open]")) location.reload(); }, 1200)); },
  }));
});
