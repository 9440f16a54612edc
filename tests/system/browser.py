"""Airflow's UI in a real browser, used as a person uses it."""

import contextlib
import re
import shutil

from playwright.sync_api import expect, sync_playwright

from tests.servers.required import require

#: What is installed on the machine; nothing is downloaded.
_CHROMIUM = shutil.which("chromium")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PATIENCE_MS = 180_000
expect.set_options(timeout=PATIENCE_MS)


def require_browser():
    require(_CHROMIUM is not None, "Chromium is not installed: apt-get install chromium")


@contextlib.contextmanager
def signed_in(address, user, password):
    """A page of the UI behind its login form."""
    with sync_playwright() as playwright, playwright.chromium.launch(executable_path=_CHROMIUM, args=FLAGS) as browser:
        page = browser.new_page(base_url=address, viewport={"width": 1300, "height": 1000})
        page.set_default_timeout(PATIENCE_MS)
        page.goto("/")
        page.get_by_label("Username").fill(user)
        page.get_by_label("Password").fill(password)
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("link", name="Dags", exact=True)).to_be_visible()
        yield page


class TriggerForm:
    """What the button *Trigger* of a DAG asks."""

    def __init__(self, page, dag_id):
        page.goto(f"/dags/{dag_id}")
        page.get_by_role("button", name="Trigger Dag").click()
        self.page = page
        self.form = page.get_by_role("dialog").filter(has_text=f"Trigger Dag - {dag_id}")
        self.button = self.form.get_by_role("button", name="Trigger", exact=True)

    def field(self, title, role="textbox"):
        """The input under a title."""
        return self.form.get_by_role("group").filter(has_text=re.compile(f"^{title}")).get_by_role(role)

    def options(self, title):
        """Open the list of a field."""
        self.field(title, "combobox").click()
        return self.form.get_by_role("option")

    def send(self):
        """Start the run; its page says how it goes on."""
        self.button.click()
        self.page.wait_for_url("**/runs/manual__*")


def answer(page, day, option):
    """Answer the question of a day among the *Required Actions*."""
    page.goto("/required_actions")
    page.get_by_role("link").filter(has_text=f"from {day} on").click()
    expect(page.get_by_role("cell", name="floor roc_auc")).to_be_visible()
    page.get_by_role("button", name=option, exact=True).click()
    # Airflow tells it twice for a while: on the page, and in a message that goes away.
    expect(page.get_by_text("Response received").first).to_be_visible()
