// Making the shapes of a drawing. Their colours are those of the style sheets, so that they follow the theme.

const SVG = "http://www.w3.org/2000/svg";

/** A new shape with these attributes and children, which are shapes or texts. */
export function shape(tag, attributes = {}, ...children) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined) made.setAttribute(name, String(value));
  }
  made.append(...children);
  return made;
}

/** A group of shapes in the colour of a vital; `colour` is that of the table of vitals. */
export function inColour(vital, colour, className, ...children) {
  const made = shape("g", { class: `vital ${className}`, "data-vital": vital }, ...children);
  made.style.setProperty("--vital", colour);
  return made;
}

/** A number as it stands in a path: to a tenth of a pixel. */
export function px(number) {
  return String(Math.round(number * 10) / 10);
}
