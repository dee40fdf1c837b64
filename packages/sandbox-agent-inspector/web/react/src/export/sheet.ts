/** Looks of the HTML export: the app's colours in both themes, and paper. Classes are few, and none comes from content. */
export const SHEET = `
:root{color-scheme:light dark;--bg:#fff;--s1:#f6f7f9;--line:#dfe3e8;--text:#171b21;--muted:#4d5866;--accent:#0b5cc4;--ok:#17733f;--warn:#8a5a00;--err:#b4231a;--info:#6a3fc4;--add:#e3f6e9;--del:#fde8e6;
--c0:#171b21;--c1:#b4231a;--c2:#17733f;--c3:#8a5a00;--c4:#0b5cc4;--c5:#8a2f8f;--c6:#0b6b75;--c7:#4d5866}
@media (prefers-color-scheme:dark){:root{--bg:#0e1116;--s1:#151a21;--line:#29323d;--text:#e6eaf0;--muted:#a2adba;--accent:#5aa9ff;--ok:#4cc38a;--warn:#f0b429;--err:#ff7b72;--info:#b197fc;--add:#12301f;--del:#3a1a1d;
--c0:#8792a0;--c1:#ff7b72;--c2:#4cc38a;--c3:#f0b429;--c4:#5aa9ff;--c5:#e08fe6;--c6:#56c8d4;--c7:#e6eaf0}}
*{box-sizing:border-box}
body{margin:0 auto;padding:32px 20px 64px;max-width:860px;background:var(--bg);color:var(--text);font:15px/24px system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;overflow-wrap:anywhere}
h1{margin:0 0 8px;font-size:22px;line-height:30px}
h2{margin:40px 0 12px;padding-top:12px;border-top:1px solid var(--line);font-size:14px;line-height:22px;color:var(--muted)}
h3,h4,h5,h6{margin:16px 0 4px;font-size:16px;line-height:24px}
p,ul,ol,blockquote,table,pre{margin:8px 0}
ul,ol{padding-left:24px}
a{color:var(--accent)}
code,pre{font:13px/20px ui-monospace,SFMono-Regular,Menlo,Consolas,"Liberation Mono",monospace}
code{padding:1px 4px;border-radius:4px;background:var(--s1)}
pre{padding:8px 12px;border:1px solid var(--line);border-radius:6px;background:var(--s1);overflow-x:auto;white-space:pre-wrap}
pre code{padding:0;background:none}
table{border-collapse:collapse}
th,td{padding:4px 10px;border:1px solid var(--line);text-align:left}
blockquote{padding-left:12px;border-left:3px solid var(--line);color:var(--muted)}
.facts{display:grid;grid-template-columns:max-content 1fr;gap:0 12px;margin:0;color:var(--muted);font-size:13px;line-height:20px}
.facts dd{margin:0}
.you{margin:12px 0;padding:8px 14px;border-radius:10px;background:var(--s1);border:1px solid var(--line)}
.who{display:block;color:var(--muted);font-size:12px;line-height:16px}
.text{contain:paint;isolation:isolate}
details{margin:8px 0;border:1px solid var(--line);border-radius:6px}
summary{padding:6px 12px;font-size:14px;line-height:22px;cursor:pointer}
details>:not(summary){margin-left:12px;margin-right:12px}
summary .meta{float:right;padding-left:12px;color:var(--muted);font-variant-numeric:tabular-nums}
.thought{border-style:dashed;color:var(--muted)}
.failed>summary{color:var(--err)}
.ask{margin:8px 0;padding:8px 12px;border:1px solid var(--line);border-left:3px solid var(--warn);border-radius:6px}
.note{color:var(--muted);font-size:13px}
.error{color:var(--err)}
.plan{list-style:none;padding-left:0}
.diff{padding:0}
.diff b{display:block;padding:4px 12px;border-bottom:1px solid var(--line);font-weight:600}
.diff>span{display:block;padding:0 12px;white-space:pre-wrap}
.diff>.a{background:var(--add)}
.diff>.d{background:var(--del)}
.diff>.g{color:var(--muted)}
.t1{color:var(--c1)}.t2{color:var(--c2)}.t3{color:var(--c3)}.t4{color:var(--c4)}.t5{color:var(--c5)}.t6{color:var(--c6)}.t0,.t7{color:var(--c7)}.tb{font-weight:600}.td{opacity:.8}.tu{text-decoration:underline}
img{max-width:100%;max-height:480px}
footer{margin-top:48px;padding-top:12px;border-top:1px solid var(--line);color:var(--muted);font-size:12px;line-height:18px}
@media print{body{max-width:none;padding:0;font-size:11pt}h2{break-after:avoid}pre,details{break-inside:auto}details::details-content{content-visibility:visible;block-size:auto}summary{break-after:avoid}}
`.trim();
