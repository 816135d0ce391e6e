/* What a phone adds to a form of ours: its position with its accuracy, and its clock at capture and at sending.
   Without HTTPS, or without leave, a phone gives no position: the page says so, and the form works all the same. */

const forms = [...document.querySelectorAll("form")].filter((form) => form.elements.device_at);

for (const form of forms) {
  const { photo, device_at, submitted_at, live, id } = form.elements;
  if (id && !id.value) id.value = uuid();
  photo?.addEventListener("change", () => {
    const [file] = photo.files;
    device_at.value = String(Date.now());
    // a picture that is seconds old was taken now; one from the album keeps its own time
    live.value = file && Date.now() - file.lastModified < 60_000 ? "1" : "";
  });
  form.addEventListener("submit", () => { submitted_at.value = String(Date.now()); });
}

if (forms.length) locate();

function locate() {
  say("wait");
  if (!window.isSecureContext || !navigator.geolocation) return say("none");
  navigator.geolocation.watchPosition(
    ({ coords }) => {
      for (const { elements } of forms) {
        if (elements.tapped?.value) continue; // what a person set on the map stands
        elements.lon.value = coords.longitude.toFixed(7);
        elements.lat.value = coords.latitude.toFixed(7);
        elements.accuracy_m.value = String(Math.round(coords.accuracy));
      }
      say("got", Math.round(coords.accuracy));
      document.dispatchEvent(new Event("vm-located"));
    },
    () => say("none"),
    { enableHighAccuracy: true, maximumAge: 10_000, timeout: 20_000 },
  );
}

function say(what, accuracy = "") {
  for (const line of document.querySelectorAll("[data-position]")) {
    line.textContent = line.dataset[what].replace("{accuracy}", accuracy);
  }
}

/* UUIDv7: the time in milliseconds, then chance; so a form that is sent twice is one report. */
function uuid() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  const time = Date.now();
  for (let index = 0; index < 6; index += 1) bytes[index] = Math.floor(time / 2 ** (8 * (5 - index))) % 256;
  bytes[6] = 0x70 | (bytes[6] & 0x0f);
  bytes[8] = 0x80 | (bytes[8] & 0x3f);
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}
