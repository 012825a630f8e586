// Light, dark, or as the reader's system says. A sandboxed frame has no storage: the choice then lasts as long as the page.
(() => {
  const box = document.getElementById("themes");
  const remembered = (change) => { try { return change(); } catch { return null; } };
  const apply = (theme) => {
    if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
    else delete document.documentElement.dataset.theme;
  };
  const kept = remembered(() => localStorage.getItem("whetstone-theme")) || "auto";
  for (const input of box.querySelectorAll("input")) {
    input.checked = input.value === kept;
    input.addEventListener("change", () => {
      apply(input.value);
      remembered(() => localStorage.setItem("whetstone-theme", input.value));
    });
  }
  apply(kept);
  box.hidden = false;
})();
