// Pages that are opened from the disk may start no workers: the search then runs in a hidden frame.
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(address) {
      super();
      const frame = document.createElement("iframe");
      frame.hidden = true;
      document.body.appendChild(frame);
      const inside = (this.inside = frame.contentWindow);
      this.ready = new Promise((done) => frame.addEventListener("load", done, { once: true }));
      window.addEventListener("message", (event) => {
        if (event.source === inside) {
          this.dispatchEvent(new MessageEvent("message", { data: event.data }));
        }
      });
      const script = (text, source = "") => `<script${source}>${text}</` + "script>";
      inside.document.open();
      inside.document.write(
        script("function postMessage(data) { parent.postMessage(data, '*'); }") +
          script("", ` src="${new URL(address, document.baseURI)}"`),
      );
      inside.document.close();
    }
    postMessage(data) {
      this.ready.then(() => this.inside.dispatchEvent(new MessageEvent("message", { data })));
    }
    terminate() {}
  };
}
