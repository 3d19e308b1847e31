namespace Garden.KvCache;

/// <summary>
/// Declares, on a <c>partial struct</c>, the plan that moves tokens from pools of layout <typeparamref name="TFrom"/> to
/// pools of layout <typeparamref name="TTo"/>, which may differ in page size, tensor-parallel degree and order. The
/// generator implements <see cref="IKvTransfer{TSelf}"/> on it with as few and as long writes as the geometry allows.
/// </summary>
/// <typeparam name="TFrom">Layout of the sender; annotated with <see cref="KvPageLayoutAttribute"/>.</typeparam>
/// <typeparam name="TTo">Layout of the receiver; annotated with <see cref="KvPageLayoutAttribute"/>.</typeparam>
[AttributeUsage(AttributeTargets.Struct)]
public sealed class KvTransferAttribute<TFrom, TTo> : Attribute
    where TFrom : struct
    where TTo : struct
{
}
