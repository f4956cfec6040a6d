// Comforts only: without this script the page shows the same content.
(() => {
  "use strict";
  const wide = matchMedia("(min-width: 68rem)");
  const nav = document.querySelector(".contents");
  const fold = nav.querySelector("details");
  const place = () => { fold.open = wide.matches; };
  place();
  wide.addEventListener("change", place);
  nav.addEventListener("click", (event) => {
    if (event.target.closest("a") && !wide.matches) fold.open = false;
  });

  // The contents list follows the reader: the last heading above the upper third of the window is current.
  const links = [...nav.querySelectorAll("a")];
  const targets = links.map((link) => document.getElementById(decodeURIComponent(link.hash.slice(1))));
  const chapters = [...nav.querySelectorAll("details > ol > li")];
  let waiting = false;
  const follow = () => {
    waiting = false;
    const line = innerHeight / 3;
    const atEnd = innerHeight + scrollY >= document.documentElement.scrollHeight - 2;
    let current = 0;
    targets.forEach((target, index) => {
      if (target && target.getBoundingClientRect().top <= line) current = index;
    });
    if (atEnd && scrollY > 0) current = links.length - 1;
    links.forEach((link, index) => {
      if (index === current) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    });
    chapters.forEach((chapter) => chapter.classList.toggle("open", chapter.contains(links[current])));
    const link = links[current];
    if (link && wide.matches) {
      const box = link.getBoundingClientRect();
      if (box.top < 0 || box.bottom > innerHeight) nav.scrollTop += box.top - innerHeight / 2;
    }
  };
  const soon = () => { if (!waiting) { waiting = true; requestAnimationFrame(follow); } };
  document.documentElement.classList.add("follows");
  addEventListener("scroll", soon, { passive: true });
  addEventListener("resize", soon);
  follow();

  // Only what really scrolls sideways is a stop for the keyboard.
  const regions = [...document.querySelectorAll(".scroll, .formula, pre")];
  const names = new Map(regions.map((region) => [region, region.getAttribute("aria-label")]));
  const measure = () => regions.forEach((region) => {
    const scrolls = region.scrollWidth > region.clientWidth + 1;
    if (scrolls) region.tabIndex = 0; else region.removeAttribute("tabindex");
    if (!names.get(region)) return;
    if (scrolls) { region.setAttribute("role", "group"); region.setAttribute("aria-label", names.get(region)); }
    else { region.removeAttribute("role"); region.removeAttribute("aria-label"); }
  });
  addEventListener("load", measure);
  addEventListener("resize", measure);
  document.addEventListener("toggle", measure, true);

  const codes = [...document.querySelectorAll("details.code")];
  if (codes.length) {
    const button = document.createElement("button");
    button.type = "button";
    const name = () => { button.textContent = codes.some((code) => !code.open) ? "Show all code" : "Hide all code"; };
    button.addEventListener("click", () => {
      const open = codes.some((code) => !code.open);
      codes.forEach((code) => { code.open = open; });
      name();
    });
    name();
    fold.append(button);
  }
})();
