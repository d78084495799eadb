"""The compose file passes on what the settings know, and nothing else."""

import re
from pathlib import Path

from discord_sim import DEMO_TOKEN
from markov_shard.settings import Settings, environment_name

ROOT = Path(__file__).parents[2]
NOT_FOR_OPERATORS = {"PROCESS_NAME", "HTTP_HOST", "HTTP_PORT", "DATA_DIR", "DATABASE_URL", "REDIS_URL", "LOG_FORMAT"}


def test_every_setting_can_be_set_in_the_env_file() -> None:
    passed = set(re.findall(r"^    ([A-Z_]+): \$\{\1:-\}$", (ROOT / "docker-compose.yml").read_text(), re.MULTILINE))
    assert passed == {environment_name(name) for name in Settings.model_fields} - NOT_FOR_OPERATORS


def test_the_demo_uses_the_stand_ins_token() -> None:
    assert f"TOKEN={DEMO_TOKEN}\n" in (ROOT / "deploy" / "demo.env").read_text()
