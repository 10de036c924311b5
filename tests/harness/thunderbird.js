// What a person does with Thunderbird: each a function of the main window, called by thunderbird.py with an
// account's key and more. What takes its time to be seen is false or empty until then.
const {MailServices} = ChromeUtils.importESModule("resource:///modules/MailServices.sys.mjs");
const hands = {};

/** The tab with the folders, the messages and the message. */
function tab() {
    return window.document.getElementById("tabmail").currentAbout3Pane;
}

function serverOf(key) {
    return MailServices.accounts.getAccount(key).incomingServer;
}

function foldersOf(key) {
    return serverOf(key).rootFolder.descendants.map(one => one.QueryInterface(Ci.nsIMsgImapMailFolder));
}

/** By the name that the mailbox has on the server. */
function folderOf(key, name) {
    return foldersOf(key).find(one => one.onlineName == name);
}

function instance(contract, type) {
    return Cc[contract].createInstance(Ci[type]);
}

// --- accounts ---

/** As the window for new accounts makes one: the password is remembered, the certificate is accepted. */
hands.addAccount = async (_key, {user, password, host, port, startTls, certificate, smtpPort, options}) => {
    const der = certificate.replace(/-----.*?-----|\s/g, "");
    Cc["@mozilla.org/security/certoverride;1"].getService(Ci.nsICertOverrideService).rememberValidityOverride(
        host, port, {}, Cc["@mozilla.org/security/x509certdb;1"].getService(Ci.nsIX509CertDB)
            .constructX509FromBase64(der), true);
    const login = instance("@mozilla.org/login-manager/loginInfo;1", "nsILoginInfo");
    login.init(`imap://${host}`, null, `imap://${host}`, user, password, "", "");
    await Services.logins.addLoginAsync(login);

    const server = MailServices.accounts.createIncomingServer(user, host, "imap");
    server.port = port;
    server.socketType = startTls ? Ci.nsMsgSocketType.alwaysSTARTTLS : Ci.nsMsgSocketType.SSL;
    server.authMethod = Ci.nsMsgAuthMethod.passwordCleartext;
    server.prettyName = user;
    // Its own: that of an account before may hold what is gone.
    const directory = Services.dirsvc.get("ProfD", Ci.nsIFile);
    directory.append(user);
    server.localPath = directory;
    for (const [name, value] of Object.entries(options)) {
        server.setBoolValue(name, value);
    }
    server.valid = true;

    const outgoing = MailServices.outgoingServer.createServer("smtp");
    outgoing.QueryInterface(Ci.nsISmtpServer).hostname = host;
    outgoing.QueryInterface(Ci.nsISmtpServer).port = smtpPort;
    outgoing.socketType = Ci.nsMsgSocketType.plain;
    outgoing.authMethod = Ci.nsMsgAuthMethod.none;
    const identity = MailServices.accounts.createIdentity();
    identity.email = user;
    identity.smtpServerKey = outgoing.key;
    identity.composeHtml = false;
    identity.valid = true;

    const account = MailServices.accounts.createAccount();
    account.addIdentity(identity);
    account.incomingServer = server;
    return account.key;
};

hands.disconnect = key => serverOf(key).closeCachedConnections();

hands.removeAccount = key => {
    hands.disconnect(key);
    MailServices.accounts.removeAccount(MailServices.accounts.getAccount(key), true);
};

hands.goOffline = () => {
    Services.io.offline = true;
};

/** And does on the server what has been done since. */
hands.goOnline = () => {
    Services.io.offline = false;
    Cc["@mozilla.org/messenger/offline-manager;1"].getService(Ci.nsIMsgOfflineManager)
        .goOnline(false, true, window.msgWindow);
};

// --- folders ---

/** {name: special use, or ""}. */
hands.folders = key => Object.fromEntries(foldersOf(key).map(one => [one.onlineName,
    ["Inbox", "Archive", "Drafts", "Junk", "SentMail", "Trash"].filter(
        use => one.flags & Ci.nsMsgFolderFlags[use]).join()]));

hands.openFolder = (key, name) => {
    const folder = folderOf(key, name);
    if (folder) {
        tab().displayFolder(folder.URI);
    }
    return folder && tab().gFolder?.URI == folder.URI;
};

/** Asks the server what mailboxes there are. */
hands.refreshFolders = key => serverOf(key).performExpand(window.msgWindow);

hands.createFolder = (key, parent, name) =>
    (parent ? folderOf(key, parent) : serverOf(key).rootFolder).createSubfolder(name, window.msgWindow);

hands.renameFolder = (key, name, other) => folderOf(key, name).rename(other, window.msgWindow);

/** Into the bin; what is in there goes for good. Either is asked about. */
hands.deleteFolder = (key, name) => folderOf(key, name).deleteSelf(window.msgWindow);

hands.compact = (key, name) => new Promise((resolve, reject) => folderOf(key, name).compact({
    QueryInterface: ChromeUtils.generateQI(["nsIUrlListener"]),
    OnStartRunningUrl() {},
    OnStopRunningUrl: (_url, status) => Components.isSuccessCode(status) ? resolve() :
        reject(new Error(`compacting failed: ${status.toString(16)}`)),
}, window.msgWindow));

/** Whether all messages are kept here, too: it sees to that by itself, in its own time. */
hands.isDownloaded = (key, name) => {
    const folder = folderOf(key, name);
    return [...folder.messages].every(one => folder.hasMsgOffline(one.messageKey));
};

/** What the window for subscriptions shows, {name: whether it is subscribed}. */
hands.subscriptions = key => new Promise(resolve => {
    const server = serverOf(key).QueryInterface(Ci.nsISubscribableServer);
    const below = path => server.getChildURIs(path).flatMap(
        one => [[one, server.isSubscribed(one)], ...below(one)]);
    server.subscribeListener = {
        QueryInterface: ChromeUtils.generateQI(["nsISubscribeListener"]),
        OnDonePopulating() {
            const all = Object.fromEntries(below(""));
            server.subscribeListener = null;
            server.subscribeCleanup();
            resolve(all);
        },
    };
    server.startPopulating(window.msgWindow, true, false);
});

hands.subscribe = (key, name) => serverOf(key).QueryInterface(Ci.nsISubscribableServer).subscribe(name);

hands.unsubscribe = (key, name) => serverOf(key).QueryInterface(Ci.nsISubscribableServer).unsubscribe(name);

// --- messages ---

function rows() {
    const view = tab().gDBView;
    return Array.from({length: view?.rowCount ?? 0}, (_, row) => view.getMsgHdrAt(row));
}

/** The list as it is shown, from the top. */
hands.messages = () => rows().map(one => ({
    uid: one.messageKey, subject: one.mime2DecodedSubject, from: one.mime2DecodedAuthor, read: one.isRead, flagged: one.isFlagged,
    keywords: one.getStringProperty("keywords").split(" ").filter(word => word).sort(),
}));

hands.select = (_key, subject) => {
    const row = rows().findIndex(one => one.mime2DecodedSubject == subject);
    tab().threadTree.selectedIndex = row;
    return row >= 0;
};

/** One of the menus' commands, on the message that is selected. */
hands.command = (key, name, folder) =>
    tab().commandController.doCommand(name, folder && folderOf(key, folder));

/** What is shown of the message that is selected. */
hands.message = () => {
    const pane = tab().messageBrowser.contentWindow;
    return {
        subject: pane.currentHeaderData?.subject?.headerValue,
        text: pane.getMessagePaneBrowser().contentDocument?.body?.textContent ?? "",
        attachments: pane.currentAttachments.map(one => one.name),
    };
};

hands.saveAttachment = async (_key, name, path) => {
    const file = instance("@mozilla.org/file/local;1", "nsIFile");
    file.initWithPath(path);
    await tab().messageBrowser.contentWindow.currentAttachments.find(one => one.name == name).saveToFile(file);
};

/** The subjects of what the server finds. */
hands.search = (key, name, attribute, text) => new Promise((resolve, reject) => {
    const session = instance("@mozilla.org/messenger/searchSession;1", "nsIMsgSearchSession");
    session.addScopeTerm(Ci.nsMsgSearchScope.onlineMail, folderOf(key, name));
    const term = session.createTerm();
    const value = term.value;
    value.attrib = term.attrib = Ci.nsMsgSearchAttrib[attribute];
    value.str = text;
    term.value = value;
    term.op = Ci.nsMsgSearchOp.Contains;
    session.appendTerm(term);
    const found = [];
    session.registerListener({
        QueryInterface: ChromeUtils.generateQI(["nsIMsgSearchNotify"]),
        onNewSearch() {},
        onSearchHit: header => found.push(header.mime2DecodedSubject),
        onSearchDone: status => Components.isSuccessCode(status) ? resolve(found) :
            reject(new Error(`the search failed: ${status.toString(16)}`)),
    });
    session.search(window.msgWindow);
});

// --- the window in which a message is written ---

function writing() {
    return Array.from(Services.wm.getEnumerator("msgcompose")).find(one => one.composeEditorReady);
}

hands.write = (key, fields) => {
    const parameters = instance("@mozilla.org/messengercompose/composeparams;1", "nsIMsgComposeParams");
    parameters.composeFields = Object.assign(
        instance("@mozilla.org/messengercompose/composefields;1", "nsIMsgCompFields"), fields);
    parameters.identity = MailServices.accounts.getAccount(key).defaultIdentity;
    parameters.type = Ci.nsIMsgCompType.New;
    parameters.format = Ci.nsIMsgCompFormat.PlainText;
    MailServices.compose.OpenComposeWindowWithParams(null, parameters);
};

/** Its text, once it is open and does nothing by itself. */
hands.written = () => {
    const one = writing();
    return one && !one.gWindowLocked && !one.gSaveOperationInProgress &&
        one.GetCurrentEditor().document.body.textContent;
};

hands.writeMore = (_key, text) => writing().GetCurrentEditor().insertText(text);

hands.writingCommand = (_key, name) => writing().goDoCommand(name);

/** Closes it, whatever is in it; whether none is left. */
hands.stopWriting = () => {
    writing()?.close();
    return !Services.wm.getMostRecentWindow("msgcompose");
};

// --- for who looks into a failure ---

hands.state = () => ({
    console: Services.console.getMessageArray().map(one => one.message ?? String(one)).slice(-40),
    windows: Array.from(Services.wm.getEnumerator(null), one => `${one.location} ${one.document.title}`),
    folder: tab()?.gFolder?.URI,
    messages: hands.messages(),
    message: hands.message(),
});
