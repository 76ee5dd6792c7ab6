// node mllp_serve.cjs PEER PORT: a server of PEER on 127.0.0.1.  Prints `up`, then the control id of each message it has received.
const net = require("node:net");

const [peer, port] = process.argv.slice(2);
const listen = net.Server.prototype.listen;
net.Server.prototype.listen = function (first, ...rest) {
  // two of them would listen on every interface
  if (typeof first === "number" && typeof rest[0] !== "string") rest.unshift("127.0.0.1");
  return listen.call(this, first, ...rest);
};

const peers = {
  "node-hl7-server": async () => {
    const { Server } = require("node-hl7-server");
    new Server({ bindAddress: "127.0.0.1" }).createInbound({ port: +port }, async (request, response) => {
      console.log(request.getMessage().get("MSH.10").toString());
      await response.sendResponse("AA");
    });
  },
  "@medplum/hl7": async () => {
    const { Hl7Server } = require("@medplum/hl7");
    const server = new Hl7Server((connection) =>
      connection.addEventListener("message", (event) => {
        console.log(event.message.header.getComponent(10, 1));
        connection.send(event.message.buildAck());
      }),
    );
    await server.start(+port);
  },
  "simple-hl7": async () => {
    const hl7 = require("simple-hl7");
    const server = hl7.tcp();
    server.use((request, response, next) => {
      console.log(request.msg.header.getField(8));
      next();
    });
    server.use((request, response) => response.end());
    server.start(+port);
  },
};

peers[peer]().then(() => console.log("up"));
