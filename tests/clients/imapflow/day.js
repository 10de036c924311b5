// A person's day of mail with ImapFlow: says as JSON what it saw. test_imapflow.py asks for it.
//
// Standard input: {host, port, ca, user, password}. When it says "ready" it idles in INBOX, until a
// message has come.
'use strict';
const fs = require('fs');
const {ImapFlow} = require('imapflow');

async function text(stream) {
    const chunks = [];
    for await (const chunk of stream) chunks.push(chunk);
    return Buffer.concat(chunks).toString();
}

async function read(client, saw) {
    saw.mailboxes = (await client.list()).map(one => [one.path, one.specialUse || null]);
    const lock = await client.getMailboxLock('INBOX');
    try {
        saw.exists = client.mailbox.exists;
        saw.messages = [];
        for await (const one of client.fetch('1:*', {uid: true, flags: true, envelope: true,
                                                     bodyStructure: true, threadId: true}))
            saw.messages.push({uid: one.uid, subject: one.envelope.subject, type: one.bodyStructure.type,
                               flags: [...one.flags], thread: one.threadId, identity: one.emailId});
        const {meta, content} = await client.download('*', '2');
        saw.attachment = {name: meta.filename, type: meta.contentType, text: await text(content)};
        saw.found = await client.search({subject: 'äpfel'}, {uid: true});
        saw.larger = await client.search({or: [{seen: true}, {larger: 1}], since: '2020-01-01'});
    } finally {
        lock.release();
    }
}

async function change(client, saw) {
    saw.appended = await client.append('Drafts', 'Subject: a draft\r\n\r\nHalf.\r\n', ['\\Draft', '$Work']);
    const lock = await client.getMailboxLock('INBOX');
    try {
        await client.messageFlagsAdd('1', ['\\Flagged']);
        saw.copied = await client.messageCopy('1', 'Archive');
        saw.moved = await client.messageMove({subject: 'to be moved'}, 'Archive');
        await client.messageDelete({subject: 'to be deleted'});
        saw.left = await client.search({all: true}, {uid: true});
    } finally {
        lock.release();
    }
    await client.mailboxCreate(['Projects', 'Ünïcode & more']);
    await client.mailboxRename('Projects', 'Old projects');
    await client.mailboxSubscribe('Old projects');
    saw.status = await client.status('Archive', {messages: true, unseen: true, uidNext: true});
    saw.quota = await client.getQuota('INBOX');
    await client.mailboxDelete(['Old projects', 'Ünïcode & more']);
}

async function wait(client, saw) {
    const lock = await client.getMailboxLock('INBOX');
    try {
        const came = new Promise(resolve => client.once('exists', resolve));
        const flagged = new Promise(resolve => client.once('flags', resolve));
        const idle = client.idle();
        console.log('ready');
        saw.came = (await came).count;
        saw.flagged = [...(await flagged).flags];
        await client.noop();
        await idle;
    } finally {
        lock.release();
    }
}

// JSON has neither of these.
function plain(name, value) {
    return typeof value === 'bigint' ? Number(value) : value instanceof Map ? [...value] : value;
}

async function main() {
    const given = JSON.parse(fs.readFileSync(0, 'utf8'));
    const client = new ImapFlow({host: given.host, port: given.port, secure: true, logger: false,
                                 qresync: true, tls: {ca: fs.readFileSync(given.ca)},
                                 auth: {user: given.user, pass: given.password}});
    const saw = {};
    await client.connect();
    saw.enabled = [...client.enabled].sort();
    await read(client, saw);
    await change(client, saw);
    await wait(client, saw);
    await client.logout();
    console.log(JSON.stringify(saw, plain));
}

main().catch(problem => {
    console.error(problem);
    process.exit(1);
});
