"""The loop `slidegrid predict` with onnxruntime is compared with.

    bare_onnxruntime.py MODEL.onnx WINDOWS.f32 COUNT BATCH

Runs COUNT windows, already in memory, one thread, BATCH at a time; prints
windows, wall and CPU seconds of the loop alone. Waits for a line on stdin
first, so that several of these can start together.
"""

import sys
import time

import numpy as np
import onnxruntime


def main(model, windows, count, batch):
    count, batch = int(count), int(batch)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, ["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    data = np.fromfile(windows, "<f4").reshape(-1, 3, 224, 224)
    session.run(None, {name: data[:batch]})
    print("ready", flush=True)
    sys.stdin.readline()
    wall, cpu = time.perf_counter(), time.process_time()
    done = 0
    while done < count:
        at = done % (len(data) // batch * batch)
        given = data[at : at + min(batch, count - done)]
        session.run(None, {name: given})
        done += len(given)
    print(done, time.perf_counter() - wall, time.process_time() - cpu, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
