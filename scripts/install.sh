#!/bin/sh
# Makes .venv and installs a requirements file: with uv where it can be had (seconds), else with pip (minutes).
set -e
file=$1
python=${PYTHON:-python3}
if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
  echo "Python 3.11 or newer is needed · 需要 Python 3.11 或更新版本: make PYTHON=/path/to/python3.11 run" >&2
  exit 1
fi
if [ ! -x .venv/bin/python ]; then
  echo "1/3  making the environment in .venv · 创建运行环境"
  "$python" -m venv .venv
fi
echo "2/3  installing $file · 安装依赖"
if .venv/bin/python -m pip install --quiet --disable-pip-version-check uv==0.13.9 2>/dev/null && .venv/bin/python -m uv --version >/dev/null 2>&1; then
  .venv/bin/python -m uv pip install --quiet --python .venv/bin/python --require-hashes -r "$file"
else
  .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r "$file"
fi
