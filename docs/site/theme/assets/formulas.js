// Formulas between dollar signs are set by the copy of MathJax that the classroom carries, on pages that have any.
const assets = new URL(".", document.currentScript.src);
window.MathJax = { messageStyle: "none", tex2jax: { inlineMath: [["\\(", "\\)"]], displayMath: [["\\[", "\\]"]] } };
document.addEventListener("DOMContentLoaded", () => {
  if (document.querySelector(".arithmatex")) {
    const script = document.createElement("script");
    script.src = new URL("../lite/mathjax/MathJax.js?config=TeX-AMS-MML_HTMLorMML-full,Safe", assets);
    document.head.append(script);
  }
});
