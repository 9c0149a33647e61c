// Making and changing nodes. Everything from outside is set as text, never as markup; what is unchanged is not touched.

const SVG = "http://www.w3.org/2000/svg";

/** A new element of that class with these children, which are nodes or texts. */
export function element(tag, className = "", ...children) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...children);
  return made;
}

/** A button that does `act` when it is used; it is of no form. */
export function button(className, text, act) {
  const made = element("button", className, text);
  made.type = "button";
  made.addEventListener("click", act);
  return made;
}

/** One of the symbols in symbols.svg, for the eye only: the words beside it say the same. */
export class Symbol {
  #use = document.createElementNS(SVG, "use");

  constructor(name = "") {
    this.root = document.createElementNS(SVG, "svg");
    this.root.setAttribute("aria-hidden", "true");
    this.root.append(this.#use);
    if (name) this.show(name);
  }

  show(name) {
    setAttribute(this.#use, "href", `/static/symbols.svg#${name}`);
  }
}

/** Set the text of a node that has nothing but text: in place, which costs the browser least. */
export function setText(node, text) {
  const held = node.firstChild;
  if (held === null || held !== node.lastChild || held.nodeType !== Node.TEXT_NODE || text === "") {
    if (node.textContent !== text) node.textContent = text;
  } else if (held.data !== text) {
    held.data = text;
  }
}

/**
 * Set a text of figures that changes often. The width of its box, in digits, goes by its signs alone, so that only a
 * change of their number moves anything else: with forty beds that is most of what the browser would have to do.
 */
export function setFigures(node, text) {
  if (node.firstChild?.data.length !== text.length) {
    const narrow = text.replace(/[^:./]/g, "").length;
    node.style.setProperty("--signs", String(text.length - 0.4 * narrow));
  }
  setText(node, text);
}

/** Set an attribute; null takes it away. */
export function setAttribute(node, name, value) {
  if (value === null) node.removeAttribute(name);
  else if (node.getAttribute(name) !== value) node.setAttribute(name, value);
}

/** Set a data attribute; what is empty takes it away. */
export function setData(node, name, value) {
  if (value) {
    if (node.dataset[name] !== value) node.dataset[name] = value;
  } else if (name in node.dataset) {
    delete node.dataset[name];
  }
}

export function setHidden(node, hidden) {
  if (node.hidden !== hidden) node.hidden = hidden;
}

/**
 * The children of one parent, kept by key: made once, moved only when the order changes, removed when gone.
 *
 * `make(item)` gives an object with `root`, its node, and `update(item)`; with `end()`, if it has one, it is let go.
 */
export class Keyed {
  #parent;
  #make;
  #kept = new Map();

  constructor(parent, make) {
    this.#parent = parent;
    this.#make = make;
  }

  /** Show these items. Returns whether a child came or went. */
  update(items, keyOf) {
    const gone = new Set(this.#kept.keys());
    let changed = false;
    let place = this.#parent.firstChild;
    for (const item of items) {
      const key = keyOf(item);
      gone.delete(key);
      let child = this.#kept.get(key);
      if (child === undefined) {
        child = this.#make(item);
        this.#kept.set(key, child);
        changed = true;
      }
      if (child.root === place) place = place.nextSibling;
      else this.#parent.insertBefore(child.root, place);
      child.update(item);
    }
    for (const key of gone) {
      const child = this.#kept.get(key);
      child.root.remove();
      child.end?.();
      this.#kept.delete(key);
    }
    return changed || gone.size > 0;
  }
}
