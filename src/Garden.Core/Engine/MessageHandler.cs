namespace Garden;

/// <summary>
/// Takes a message on the worker's thread. It must not block; it may use <see cref="TransferEngine.TrySubmit{TPlan}"/> and
/// <see cref="TransferEngine.TrySend"/>. The bytes are valid until it returns.
/// </summary>
/// <param name="peer">Who sent it.</param>
/// <param name="message">The message.</param>
public delegate void MessageHandler(Peer peer, ReadOnlySpan<byte> message);

/// <summary>
/// Reacts to progress on the worker's thread. It must not block; it may use <see cref="TransferEngine.TrySubmit{TPlan}"/>.
/// </summary>
/// <param name="handled">What the handler returned last, 0 at first.</param>
/// <param name="reached">The watcher's value now, larger than <paramref name="handled"/>.</param>
/// <returns>How far the handler got. When that is less than <paramref name="reached"/> it is called again soon, with no signal needed.</returns>
public delegate ulong ProgressHandler(ulong handled, ulong reached);
