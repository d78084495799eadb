// Small drawings, so that the page looks the same whatever fonts there are.

const SHAPES = {
  attach: "M12 5v14M5 12h14",
  send: "M4 12l16-8-6 16-3-6.500zM11 13.500l9-9.500",
  reply: "M9 6l-5 5 5 5M4 11h9a6 6 0 0 1 6 6v1",
  edit: "M4 20l1-4L16 5l3 3L8 19zM14 7l3 3",
  delete: "M5 7h14M10 7V4.500h4V7M7 7l1 13h8l1-13M10.500 11v5.500M13.500 11v5.500",
  close: "M6 6l12 12M18 6L6 18",
  menu: "M4 7h16M4 12h16M4 17h16",
  people: "M9 11.500a3.500 3.500 0 1 0 0-7 3.500 3.500 0 0 0 0 7zM2.500 19.500c0-3.300 2.900-5.500 6.500-5.500s6.500 2.200 6.500 5.500M16 5a3.200 3.200 0 0 1 0 6.300M18 14.400c2.100.7 3.500 2.500 3.500 5.100",
  help: "M9 9.200a3 3 0 1 1 4.400 2.700c-1 .5-1.400 1-1.400 2.100M12 17.500v.2",
  thread: "M7 4v9a3 3 0 0 0 3 3h8M14.500 12.500L18 16l-3.500 3.500",
  eye: "M2.500 12S6 5.500 12 5.500 21.500 12 21.500 12 18 18.500 12 18.500 2.500 12 2.500 12zM12 14.800a2.800 2.800 0 1 0 0-5.600 2.800 2.800 0 0 0 0 5.600z",
  file: "M6 3.500h8l4 4v13H6zM14 3.500v4h4",
};

const SVG = "http://www.w3.org/2000/svg";

export function icon(name, size = 20) {
  const svg = document.createElementNS(SVG, "svg");
  for (const [key, value] of Object.entries({ viewBox: "0 0 24 24", width: size, height: size, "aria-hidden": "true", class: "drawn" })) svg.setAttribute(key, value);
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", SHAPES[name]);
  svg.append(path);
  return svg;
}

// The buttons that stand in index.html itself name theirs: data-icon="send".
export function draw() {
  for (const node of document.querySelectorAll("[data-icon]")) node.replaceChildren(icon(node.dataset.icon));
}
