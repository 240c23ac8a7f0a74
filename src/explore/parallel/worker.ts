/** A worker: explores the tasks that it is given, one at a time. */
import { makeModel } from '../../smp/model.ts'
import { Workshop } from '../workshop.ts'
import type { FromWorker, Knowledge, ToWorker } from './protocol.ts'
import { TASK_EVENTS, TaskRun, type TaskEnd } from './taskRun.ts'

export class TaskWorker {
  readonly #post: (message: FromWorker) => void
  #workshop: Workshop | null = null
  #waitPlaces = new Set<number>()
  #taskEvents = TASK_EVENTS
  #epoch = 0
  #run: TaskRun | null = null
  /** What has been reported of what was learnt. */
  #noted = 0

  constructor(post: (message: FromWorker) => void) {
    this.#post = post
  }

  receive(message: ToWorker): void {
    switch (message.kind) {
      case 'begin':
        this.#workshop = new Workshop(message.image, makeModel(message.knobs))
        this.#taskEvents = message.taskEvents
        return
      case 'learnt': {
        const { image, model } = this.#workshop!
        this.#workshop = new Workshop(image, model)
        teach(this.#workshop, this.#waitPlaces, message.knowledge)
        this.#noted = this.#workshop.sharing.noted
        this.#epoch = message.epoch
        this.#run = null
        return
      }
      case 'task':
        if (message.epoch === this.#epoch) this.#run = new TaskRun(this.#workshop!, this.#waitPlaces, message.task, this.#taskEvents)
    }
  }

  /** Goes on for a slice of events. False: there is nothing to do. */
  advance(): boolean {
    if (this.#run === null) return false
    const end = this.#run.advance()
    if (end === null) this.#post({ kind: 'progress', epoch: this.#epoch, events: this.#run.events, executions: this.#run.executions })
    else {
      this.#run = null
      this.#report(end)
    }
    return true
  }

  #report(end: TaskEnd): void {
    const { sharing } = this.#workshop!
    const news = sharing.noted !== this.#noted || end.kind === 'grown'
    this.#noted = sharing.noted
    this.#post({ kind: 'end', epoch: this.#epoch, end, knowledge: news ? { learnt: sharing.learnt(), waitPlaces: [...this.#waitPlaces] } : null })
  }
}

/** Adds what others have learnt. True: it makes it necessary to start again. */
export function teach(workshop: Workshop, waitPlaces: Set<number>, { learnt, waitPlaces: places }: Knowledge): boolean {
  const before = waitPlaces.size
  for (const place of places) waitPlaces.add(place)
  const grown = workshop.sharing.learn(learnt)
  workshop.sharing.grown = false
  return grown || waitPlaces.size > before
}
