// node run_notebooks.mjs PYODIDE PROJECT NOTEBOOK...: run the code cells of notebooks in WebAssembly, and print for each one
// line of JSON: its name, its seconds, the verdicts that its checks printed, the number of figures, and the first error.
import { resolve } from "node:path";
const [assets, project] = process.argv.slice(2, 4).map((path) => resolve(path));
const { loadPyodide } = await import(`${assets}/pyodide.mjs`);
const python = await loadPyodide({ indexURL: `${assets}/` });
await python.loadPackage(["numpy", "scipy", "matplotlib"], { messageCallback: () => {} });
python.FS.mkdir("/project");
python.FS.mount(python.FS.filesystems.NODEFS, { root: project }, "/project");
python.globals.set("notebooks", python.toPy(process.argv.slice(4)));
await python.runPythonAsync(`
import contextlib, io, json, os, sys, time, traceback, warnings
os.environ["MPLBACKEND"] = "agg"
sys.dont_write_bytecode = True
sys.path.insert(0, "/project")
os.chdir("/tmp")
import matplotlib.pyplot as plt
from decolle_ref import teach

warnings.simplefilter("error")
for notebook in notebooks:
    verdicts, names, start, problem, figures = [], {"__name__": "__main__"}, time.time(), None, 0
    original = teach.check

    def check(task, answer):
        verdict = original(task, answer)
        verdicts.append(verdict.state)
        return verdict

    teach.check = check
    with open(f"/project/{notebook}") as file:
        cells = [cell for cell in json.load(file)["cells"] if cell["cell_type"] == "code"]
    with contextlib.redirect_stdout(io.StringIO()):
        for number, cell in enumerate(cells, 1):
            lines = ["pass" if line.startswith(("%", "!")) else line for line in "".join(cell["source"]).split("\\n")]
            try:
                exec(compile("\\n".join(lines), f"{notebook} code cell {number}", "exec"), names)
            except BaseException:
                problem = f"code cell {number}: {traceback.format_exc()[-400:]}"
                break
            figures += len(plt.get_fignums())
            plt.close("all")
    teach.check = original
    seconds = round(time.time() - start, 1)
    line = {"notebook": notebook, "seconds": seconds, "verdicts": verdicts, "figures": figures, "problem": problem}
    print(json.dumps(line), flush=True)
`);
