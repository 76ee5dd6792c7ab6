// node mllp_send.cjs PEER PORT FILE…: sends the message in each file, one after the other on one connection, as PEER does it.
// Prints the acknowledgments, each a JSON string on a line of its own; where a message asks for two, the next goes out after the second.
const fs = require("node:fs");

const [peer, port, ...files] = process.argv.slice(2);
const messages = files.map((file) => fs.readFileSync(file, "utf8").trim().replace(/\r?\n/g, "\r"));
const tell = (acknowledgment) => console.log(JSON.stringify(acknowledgment.toString()));
const isLast = (text, acknowledgment) => text.split("|")[15] !== "AL" || !acknowledgment.toString().includes("MSA|CA");

const peers = {
  "node-hl7-client": async () => {
    const { Client, Message } = require("node-hl7-client");
    let arrived;
    const connection = new Client({ host: "127.0.0.1" }).createConnection({ port: +port }, async (answer) =>
      arrived(answer.getMessage()),
    );
    for (const text of messages) {
      const last = new Promise((resolve) => {
        arrived = (answer) => {
          tell(answer);
          if (isLast(text, answer)) resolve();
        };
      });
      await connection.sendMessage(new Message({ text }));
      await last;
    }
    await connection.close();
  },
  "@medplum/hl7": async () => {
    const { Hl7Client } = require("@medplum/hl7");
    const { Hl7Message } = require("@medplum/core");
    const client = new Hl7Client({ host: "127.0.0.1", port: +port, connectTimeout: 5000 });
    for (const text of messages) tell(await client.sendAndWait(Hl7Message.parse(text)));
    await client.close();
  },
  "simple-hl7": async () => {
    const hl7 = require("simple-hl7");
    const client = hl7.Server.createTcpClient({ host: "127.0.0.1", port: +port, keepalive: true });
    for (const text of messages)
      tell(
        await new Promise((resolve, reject) =>
          client.send(new hl7.Parser().parse(text), (error, answer) => (error ? reject(error) : resolve(answer))),
        ),
      );
  },
};

peers[peer]().then(
  () => process.exit(0),
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
