"""The page an invitation or a password reset leads to: choose a password. Both languages, no outside host."""

LINK_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Fieldloop</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="referrer" content="no-referrer">
<style>body{font:16px system-ui,sans-serif;max-width:26rem;margin:3rem auto;padding:0 1rem}label,input,button{display:block;
width:100%;box-sizing:border-box;margin:.5rem 0;padding:.6rem;font:inherit}label{padding:0}#told{min-height:3em}</style></head>
<body><h1>Fieldloop</h1>
<form id="form"><label for="password">选择新密码（至少 10 个字符）<br>Choose a password (at least 10 characters)</label>
<input id="password" type="password" autocomplete="new-password" minlength="10" required>
<button>保存 · Save</button></form><p id="told" role="status"></p><script src="/accounts/link.js"></script></body></html>
"""

LINK_SCRIPT = """const code = new URLSearchParams(location.search).get("code") || "";
history.replaceState(null, "", location.pathname);
const told = document.getElementById("told");
document.getElementById("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const answer = await fetch("/api/v1/accounts/link", {
    method: "POST",
    headers: {"Content-Type": "application/json", "Accept-Language": navigator.language},
    body: JSON.stringify({code, password: document.getElementById("password").value}),
  });
  if (answer.status === 204) {
    document.getElementById("form").remove();
    told.textContent = "密码已设置，现在可以登录。 · Your password is set; you can sign in now.";
  } else {
    const problem = await answer.json();
    told.textContent = problem.title + " – " + problem.detail;
  }
});
"""
