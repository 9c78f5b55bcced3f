// Formulas are set by the copy of MathJax beside this file, on pages that have any: between dollar signs in a notebook,
// and on pages of the documentation where Markdown has marked them.
const folder = new URL(".", document.currentScript.src);
window.MathJax = {
  tex: { inlineMath: [["$", "$"], ["\\(", "\\)"]], processEscapes: true },
  options: { enableMenu: false, ignoreHtmlClass: "md-container", processHtmlClass: "arithmatex" },
};
document.addEventListener("DOMContentLoaded", () => {
  if (document.querySelector(".arithmatex, .jp-RenderedMarkdown")) {
    const script = document.createElement("script");
    script.src = new URL("tex-svg.js", folder);
    document.head.append(script);
  }
});
