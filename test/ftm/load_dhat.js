// Loads a file with valgrind's DHAT viewer, on a document that only keeps what it is given.
// usage: node load_dhat.js DH_VIEW.JS FILE     prints the totals of the tree as JSON
'use strict';
const fs = require('fs');
const vm = require('vm');

class Element {
  constructor(tag) {
    this.tagName = tag;
    this.childNodes = [];
    this.selectedIndex = 0;
    this.classList = new Set();
    this.classList.contains = (name) => this.classList.has(name);
  }
  appendChild(child) { this.childNodes.push(child); return child; }
  get firstChild() { return this.childNodes[0] || null; }
  removeChild(child) { this.childNodes.splice(this.childNodes.indexOf(child), 1); }
  addEventListener() {}
  setAttribute() {}
  cloneNode() {
    const copy = new Element(this.tagName);
    copy.classList = this.classList;
    return copy;
  }
  replaceChild(child, old) {
    this.childNodes[this.childNodes.indexOf(old)] = child;
  }
  get parentNode() { return document.body; }
  add(child) { this.appendChild(child); }
}

global.document = {
  title: '',
  body: new Element('body'),
  location: {search: ''},
  createElement: (tag) => new Element(tag),
  createTextNode: (text) => ({textContent: text}),
};
global.window = global;
const script = fs.readFileSync(process.argv[2], 'utf8') + `
onLoad();
gFilename = 'test';
gData = JSON.parse(TEXT);
buildTree();
displayTree(0, 0, 0);
console.log(JSON.stringify({
  bytes: gRoot._totalBytes, blocks: gRoot._totalBlocks, lifetimes: gRoot._totalLifetimes,
  end: gRoot._atTEndBytes, peak: gRoot._atTGmaxBytes, shown: gMainDiv.childNodes.length}));
`;
global.TEXT = fs.readFileSync(process.argv[3], 'utf8');
vm.runInThisContext(script, {filename: 'dh_view.js'});
