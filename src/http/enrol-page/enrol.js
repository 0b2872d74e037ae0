// Runs in the person's browser: opens the link on a click, asks the device for a passkey, shows how it went.
/* global document, location, navigator, fetch, window, crypto */

const begin = document.getElementById('begin')
const status = document.getElementById('status')
const explanation = document.getElementById('explanation')

/** What to say for a code of the service; `again` lets the person press the button once more. */
const words = {
  link_not_found: ['This link is not known. Open it exactly as it stands in the newest mail.', false],
  link_expired: ['This link has expired. Ask whoever invited you for a new one.', false],
  link_superseded: ['This link was replaced by a newer one. Look for the newest mail.', false],
  account_healthy: ['A passkey was already set up with this link. You are done here.', false],
  too_many_attempts: ['This link was tried too often. Ask whoever invited you for a new one.', false],
  conflict: ['An account with your address exists already. Ask whoever invited you.', false],
  ceremony_failed: ['The passkey was not accepted. Please try again.', true],
  rate_limited: ['Too many attempts at once. Wait a minute, then try again.', true]
}
const unforeseen = ['Something went wrong on our side. Please try again in a moment.', true]

class Problem extends Error {
  constructor (code) {
    super(code)
    this.code = code
  }
}

/** One key for one step: if the answer is lost on the way, sending it again does nothing twice. */
const post = async (step, body) => {
  const request = {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'idempotency-key': crypto.randomUUID() },
    body: JSON.stringify(body)
  }
  const path = `/api/v1/enrolment/${step}`
  const answer = await fetch(path, request).catch(() => fetch(path, request))
  const result = await answer.json()
  if (!answer.ok) throw new Problem(result.code)
  return result
}

const bytesOf = (base64url) => Uint8Array.from(atob(base64url.replaceAll('-', '+').replaceAll('_', '/')), (character) => character.charCodeAt(0))
const base64urlOf = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer))).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')

const create = async (options) => {
  const credential = await navigator.credentials.create({
    publicKey: { ...options, challenge: bytesOf(options.challenge), user: { ...options.user, id: bytesOf(options.user.id) } }
  })
  const { response } = credential
  const id = base64urlOf(credential.rawId)
  return {
    id,
    rawId: id,
    type: credential.type,
    response: {
      clientDataJSON: base64urlOf(response.clientDataJSON),
      attestationObject: base64urlOf(response.attestationObject),
      transports: response.getTransports?.() ?? []
    }
  }
}

const enrol = async (token) => {
  await post('open', { token })
  const { public_key: options } = await post('options', { token })
  status.textContent = 'Follow your device.'
  const response = await create(options)
  status.textContent = 'Checking …'
  await post('verify', { token, response })
}

const show = ([text, again]) => {
  status.textContent = text
  begin.disabled = !again
}

const token = () => location.hash.slice(1)

const run = async () => {
  begin.disabled = true
  status.textContent = 'One moment …'
  try {
    await enrol(token())
    explanation.textContent = 'Your passkey is set up. You can close this page.'
    begin.hidden = true
    status.textContent = ''
  } catch (error) {
    if (error instanceof Problem) show(words[error.code] ?? unforeseen)
    else if (error?.name === 'NotAllowedError') show(['Your device did not make a passkey. You can try again.', true])
    else if (error?.name === 'NotSupportedError' || error?.name === 'SecurityError') show(['This browser or device cannot make a passkey here. Open the link on another one.', true])
    else show(unforeseen)
  }
}

// Nothing is sent before the click: whoever merely looks at the link, such as a mail scanner, does not use it up.
if (token() === '') show(words.link_not_found)
else if (window.PublicKeyCredential === undefined) show(['This browser cannot make passkeys. Open the link in another one.', false])
else {
  begin.disabled = false
  begin.addEventListener('click', run)
}
