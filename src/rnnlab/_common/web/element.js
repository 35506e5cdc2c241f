"use strict";
// What the page shows, and how its elements are made. A text is text, whatever is in it: nothing
// here or below takes HTML from a string.

const data = JSON.parse(document.getElementById("data").textContent);
const SVG = new Set(["svg", "g", "path", "line", "rect", "circle", "text", "clipPath", "title", "defs", "pattern"]);

function element(name, attributes = {}, ...children) {
  const made = SVG.has(name)
    ? document.createElementNS("http://www.w3.org/2000/svg", name)
    : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}
