/** A worker thread of `--workers`: explore/parallel/worker.ts behind a message port. */
import { parentPort } from 'node:worker_threads'
import type { ToWorker } from '../explore/parallel/protocol.ts'
import { TaskWorker } from '../explore/parallel/worker.ts'

const port = parentPort
if (port === null) throw new Error('this is a worker of xmcheck, not a command')
const worker = new TaskWorker((message) => port.postMessage(message))
let scheduled = false

/** A slice of work, then whatever has come in meanwhile. */
function turn(): void {
  scheduled = worker.advance()
  if (scheduled) setImmediate(turn)
}

port.on('message', (message: ToWorker) => {
  worker.receive(message)
  if (scheduled) return
  scheduled = true
  setImmediate(turn)
})
