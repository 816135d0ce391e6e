// Takes a link's secret out of the address into the form, so that it stays in no history; a person opens the door.
const secret = location.hash.slice(1);
if (secret) {
  document.getElementById("secret").value = secret;
  history.replaceState(null, "", location.pathname + location.search);
  document.querySelector(".vm-switch").hash = secret;
  document.querySelector("button.vm-go").focus();
}
