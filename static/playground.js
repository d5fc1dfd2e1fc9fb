// What the form of a prediction cannot say in HTML alone: pasted cells, marks for screen readers,
// copying a call, and a service that does not answer.

document.addEventListener("paste", (event) => {
  const cell = event.target.closest(".grid-table :is(input, select)");
  const text = event.clipboardData.getData("text/plain");
  if (!cell || !/[\t\n]/.test(text.trim())) return;
  event.preventDefault();
  const form = cell.form;
  htmx
    .ajax("POST", form.action, {
      source: form,
      target: "#grid",
      swap: "outerHTML",
      values: { paste: text, at: cell.name },
    })
    .then(() => form.dispatchEvent(new Event("input", { bubbles: true })));
});

document.addEventListener("htmx:afterSettle", () => {
  for (const said of document.querySelectorAll(".field__said[id]")) {
    const input = document.getElementById(said.id.replace(/_said$/, ""));
    if (!input) continue;
    input.setAttribute("aria-invalid", said.classList.contains("field__said--wrong"));
    const told = new Set((input.getAttribute("aria-describedby") || "").split(" ").filter(Boolean));
    input.setAttribute("aria-describedby", [...told.add(said.id)].join(" "));
  }
});

for (const name of ["htmx:responseError", "htmx:sendError", "htmx:timeout"]) {
  document.addEventListener(name, (event) => {
    const form = event.target.closest(".playground__form");
    if (!form || event.target !== form) return;
    const notice = document.createElement("p");
    notice.className = "notice notice--error";
    notice.textContent = form.dataset.failed;
    document.getElementById("result").replaceChildren(notice);
  });
}

function offerCopies() {
  if (!navigator.clipboard) return;
  for (const button of document.querySelectorAll("[data-copy]")) button.hidden = false;
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
  const word = button.textContent;
  button.textContent = button.dataset.done;
  setTimeout(() => (button.textContent = word), 1500);
});

document.addEventListener("htmx:load", offerCopies);
offerCopies();
