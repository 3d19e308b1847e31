using CsCheck;
using static Garden.Generators.Integration.TransferScenario;

namespace Garden.Generators.Integration;

public sealed class TransferTests
{
    private const int Samples = 40;

    private static readonly Gen<Order> s_order = Gen.Enum<Order>();

    public static TheoryData<string> Plans => PlanCases.Names;

    [Theory]
    [MemberData(nameof(Plans))]
    public void Every_row_arrives_once_in_the_fewest_writes(string name)
    {
        (PlanCases.Scenario create, Action<TransferScenario> run) = PlanCases.Get(name);
        Gen.Select(Gen.Int[0, 25], Gen.Int[0, 30], Gen.Int[0, 500], s_order, s_order, Gen.Int[0, int.MaxValue])
            .Select((first, tokens, layers, source, destination, seed) => create(first, tokens, layers, source, destination, seed))
            .Sample(run, iter: Samples, threads: 1);
    }

    [Theory]
    [MemberData(nameof(Plans))]
    public void A_users_number_is_carried_once_a_run(string name)
    {
        (PlanCases.Scenario create, Action<TransferScenario> run) = PlanCases.Get(name);
        run(create(3, 22, 0, Order.Dense, Order.Dense, 1, Immediate.FromNumber(7)));
    }

    [Theory]
    [MemberData(nameof(Plans))]
    public void An_empty_range_moves_nothing(string name)
    {
        (PlanCases.Scenario create, Action<TransferScenario> run) = PlanCases.Get(name);
        run(create(9, 0, 0, Order.Dense, Order.Dense, 1));
        run(create(0, 0, 0, Order.Dense, Order.Dense, 1));
        run(create(2, 9, 0, Order.Dense, Order.Dense, 1) with { LayerCount = 0 });
    }
}
