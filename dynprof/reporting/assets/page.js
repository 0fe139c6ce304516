"use strict";
(() => {
  const root = document.documentElement;
  const narrow = window.matchMedia("(max-width: 40rem)");
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const plots = [...document.querySelectorAll(".plot")];

  /* Every var(--name) in a figure becomes the colour that the page has now. */
  const coloured = (value, style) => {
    if (typeof value === "string") {
      return value.startsWith("var(--") ? style.getPropertyValue(value.slice(4, -1)).trim() : value;
    }
    if (Array.isArray(value)) return value.map((v) => coloured(v, style));
    if (value && typeof value === "object") {
      return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, coloured(v, style)]));
    }
    return value;
  };

  const axis = { automargin: true, gridcolor: "var(--rule)", zeroline: false, linecolor: "var(--rule)",
    title: { standoff: 8 }, ticks: "outside", tickcolor: "var(--rule)" };
  const merged = (a, b) => ({ ...a, ...b, title: { ...a.title, ...(b || {}).title } });

  /* Long names in a narrow window are broken, so that they do not push the plot out of it. */
  const broken = (text, width) => text.split(" ").reduce((lines, word) => {
    const last = lines[lines.length - 1];
    if (last !== undefined && (last + " " + word).length <= width) lines[lines.length - 1] = last + " " + word;
    else lines.push(word);
    return lines;
  }, []).join("<br>");

  const draw = (plot) => {
    const figure = JSON.parse(document.getElementById(plot.dataset.figure).textContent);
    const given = figure.layout;
    const yaxis = merged(axis, given.yaxis);
    const xaxis = merged(axis, given.xaxis);
    const small = "panel" in plot.dataset;
    if (small) {
      Object.assign(xaxis, { tickangle: 0, tickfont: { size: 11 } });
      Object.assign(yaxis, { title: {}, tickfont: { size: 11 } });
    }
    if (plot.clientWidth < 480 && yaxis.ticktext) yaxis.ticktext = yaxis.ticktext.map((t) => broken(t, 17));
    const layout = { ...given, xaxis, yaxis, showlegend: given.showlegend !== false && !small,
      height: small && !given.yaxis.ticktext ? 240 : figure.height,
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      font: { family: getComputedStyle(document.body).fontFamily, size: 13, color: "var(--muted)" },
      margin: { l: 8, r: 14, t: 10, b: 8 },
      legend: { orientation: "h", yanchor: "bottom", y: 1.02, x: 0, font: { color: "var(--text)" } },
      modebar: { bgcolor: "rgba(0,0,0,0)", color: "var(--muted)", activecolor: "var(--accent)" },
      hoverlabel: { bgcolor: "var(--card)", bordercolor: "var(--rule)", font: { color: "var(--text)" }, align: "left" } };
    const style = getComputedStyle(root);
    Plotly.react(plot, coloured(figure.data, style), coloured(layout, style),
      { responsive: true, displaylogo: false, displayModeBar: small || narrow.matches ? false : "hover",
        modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d", "sendDataToCloud"] });
  };
  const drawAll = () => plots.forEach(draw);

  const button = document.getElementById("theme");
  const themes = ["auto", "light", "dark"];
  const show = (theme) => {
    root.dataset.theme = theme === "auto" ? (dark.matches ? "dark" : "light") : theme;
    button.textContent = "Colours: " + theme;
    button.dataset.now = theme;
    drawAll();
  };
  button.addEventListener("click", () => show(themes[(themes.indexOf(button.dataset.now) + 1) % 3]));
  dark.addEventListener("change", () => { if (button.dataset.now === "auto") show("auto"); });
  narrow.addEventListener("change", drawAll);
  button.hidden = false;

  /* Tables are sorted by a click on a heading; cells carry their number in data-value. */
  const key = (row, column) => {
    const cell = row.children[column];
    return cell.dataset.value === undefined ? cell.textContent : Number(cell.dataset.value);
  };
  const compare = (a, b, sign) => {
    if (typeof a === "number" && typeof b === "number") return sign * (a - b);
    if (typeof a === "number" || typeof b === "number") return typeof a === "number" ? -1 : 1;
    return sign * a.localeCompare(b);
  };
  document.querySelectorAll("table.sortable").forEach((table) => {
    const headings = [...table.tHead.rows[0].cells];
    headings.forEach((heading, column) => {
      const press = document.createElement("button");
      press.type = "button";
      press.append(...heading.childNodes);
      heading.append(press);
      press.addEventListener("click", () => {
        const falls = heading.getAttribute("aria-sort") === "descending" || column === 0 && !heading.ariaSort;
        headings.forEach((h) => h.removeAttribute("aria-sort"));
        heading.setAttribute("aria-sort", falls ? "ascending" : "descending");
        const rows = [...table.tBodies[0].rows];
        rows.sort((a, b) => compare(key(a, column), key(b, column), falls ? 1 : -1));
        table.tBodies[0].append(...rows);
      });
    });
  });

  show("auto");
  root.dataset.drawn = "true";
})();
