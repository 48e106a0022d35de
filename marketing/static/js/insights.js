/* Insights: show what a job has worked out once it ends. */
document.body.addEventListener("job-ended", () => setTimeout(() => { if (!document.querySelector("dialog[open], :popover-open")) location.reload(); }, 1200));
