// asyncapi.mjs - reads schemas/asyncapi.yaml as other people's tools do, and holds it against the folder beside it.
//
// In: the folder of the schemas; a folder for broken copies. Out: a line for each complaint, exit status 1.
// Promise: a document that is not AsyncAPI 3, names a file or a message that is not there, or leaves out a lane, a
// message or an event type is refused; so is each broken copy, or this check is itself broken.
import { cpSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, parse } from 'node:path';
import { Parser, fromFile } from '@asyncapi/parser';

const LANES = ['feed', 'intake', 'inbox', 'control'];
const ERROR = 0;

function names(folder) {
	return readdirSync(folder).map((file) => parse(file).name);
}

function* incomplete(document, schemas) {
	const channels = document.allChannels().all();
	const ids = new Set(channels.map((channel) => channel.id()));
	const carried = new Set(channels.flatMap((channel) => channel.messages().all().map((m) => m.id())));
	const used = new Set(document.allOperations().all().flatMap((operation) =>
		[...operation.messages().all(), ...(operation.reply()?.messages().all() ?? [])].map((m) => m.id())));

	for (const lane of LANES)
		if (!ids.has(lane))
			yield `lane ${lane} is missing`;
	for (const name of [...names(join(schemas, 'messages')), ...names(join(schemas, 'events'))]) {
		if (!carried.has(name))
			yield `${name} is on no lane`;
		if (!used.has(name))
			yield `no operation speaks of ${name}`;
	}
}

async function complaints(schemas) {
	const { document, diagnostics } = await fromFile(new Parser(), join(schemas, 'asyncapi.yaml')).parse();
	const found = diagnostics.filter((d) => d.severity === ERROR).map((d) => `${d.path.join('.')}: ${d.message}`);

	return document === undefined ? [...found, 'no document'] : [...found, ...incomplete(document, schemas)];
}

// What is broken, and how.
const PLANTED = [
	['an operation with a message that its lane does not carry', 'channels/inbox/messages/credit', 'channels/inbox/messages/nak'],
	['a schema that is not there', './messages/ack.json', './messages/acknowledge.json'],
	['an action that is none', 'action: send', 'action: shout'],
	['a lane left out', '  control:\n    title', '  kontrol:\n    title'],
	['an event type left out', "      case.opened: { $ref: '#/components/messages/case.opened' }\n", ''],
	['not YAML', 'asyncapi: 3.0.0', 'asyncapi: [3.0.0'],
];

async function plant(schemas, copy) {
	const good = readFileSync(join(schemas, 'asyncapi.yaml'), 'utf8');
	const unseen = [];

	rmSync(copy, { recursive: true, force: true });
	cpSync(schemas, copy, { recursive: true });
	for (const [what, from, to] of PLANTED) {
		const broken = good.replace(from, to);

		writeFileSync(join(copy, 'asyncapi.yaml'), broken);
		if (broken === good || (await complaints(copy)).length === 0)
			unseen.push(`not refused: ${what}`);
	}
	rmSync(copy, { recursive: true });
	return unseen;
}

const [schemas, copy] = process.argv.slice(2);
const wrong = [...(await complaints(schemas)), ...(await plant(schemas, copy))];

for (const complaint of wrong)
	console.log(complaint);
console.log(`asyncapi.yaml: ${wrong.length} complaints; ${PLANTED.length} broken copies tried`);
process.exit(wrong.length === 0 ? 0 : 1);
