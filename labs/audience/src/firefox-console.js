// What the page's console has said and nobody has been told yet. What the page itself logs is kept
// where its scripts run; what Firefox has against the page (errors, its policy) is kept in the window's process.
const faults = Services.console
  .getMessageArray()
  .filter((message) => message instanceof Ci.nsIScriptError && !message.isFromChromeContext)
  .map((message) => `${message.errorMessage} (${message.sourceName}:${message.lineNumber})`);
Services.console.reset();

const page = gBrowser.selectedBrowser.messageManager;
page.addMessageListener("said", function told({ data }) {
  page.removeMessageListener("said", told);
  done([...faults, ...data]);
});
const script = () => {
  const log = Cc["@mozilla.org/consoleAPI-storage;1"].getService(Ci.nsIConsoleAPIStorage);
  const bad = log
    .getEvents()
    .filter(({ level, filename }) => /^(error|warn|assert)$/.test(level) && /^http/.test(filename));
  log.clearEvents();
  sendAsyncMessage("said", bad.map((event) => `${event.arguments.map(String).join(" ")} (${event.filename})`));
};
page.loadFrameScript(`data:,(${encodeURIComponent(script)})()`, false);
