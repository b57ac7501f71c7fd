"""A Python tool that is imported once for many commands: in an emulated machine that takes ten times longer than its work.

usage: warm.py serve SOCKET MODULE:FUNCTION     imports the function and forks a process for each who asks for it
       warm.py ask SOCKET NAME [ARGUMENT…]      runs it as the command NAME, in this process's folder and with its files
"""

import importlib
import json
import os
import signal
import socket
import sys
import threading


def serve(path, entry):
    # Who asks before all is imported waits in the queue.
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(path)
    listener.listen()
    module, function = entry.split(":")
    command = getattr(importlib.import_module(module), function)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)   # nobody waits for who is forked
    while True:
        connection, _ = listener.accept()
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            listener.close()
            run(connection, command)
        connection.close()


def run(connection, command):
    message, files, _, _ = socket.recv_fds(connection, 1 << 16, 3)
    folder, *sys.argv = json.loads(message)
    for number, file in enumerate(files):
        os.dup2(file, number)
    os.chdir(folder)

    def end_with_who_asked():
        connection.recv(1)
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=end_with_who_asked, daemon=True).start()
    try:
        status = command()
    except SystemExit as end:
        status = end.code
    except BaseException:
        sys.excepthook(*sys.exc_info())
        status = 1
    if isinstance(status, str):
        print(status, file=sys.stderr)
        status = 1
    sys.stdout.flush()
    sys.stderr.flush()
    connection.send(bytes([int(status or 0) & 0xFF]))
    os._exit(0)


def ask(path, *command):
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    connection.connect(path)
    socket.send_fds(connection, [json.dumps([os.getcwd(), *command]).encode()], [0, 1, 2])
    answer = connection.recv(1)
    sys.exit(answer[0] if answer else "the tool ended without a status")


{"serve": serve, "ask": ask}[sys.argv[1]](*sys.argv[2:])
