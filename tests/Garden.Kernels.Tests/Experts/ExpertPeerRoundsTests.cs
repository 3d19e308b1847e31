using CsCheck;
using Garden.Kernels.Experts;

namespace Garden.Kernels.Tests.Experts;

/// <summary>What two ranks of different nodes tell one another, with rounds that either gives up, workers that sleep, and messages that overtake each other.</summary>
public sealed class ExpertPeerRoundsTests
{
    [Fact]
    public void ACountIsTheRoundWhateverWasSkipped() => Gen.Int.Sample(static seed => new Pair(seed).Run(200), iter: 2000);

    private enum Message
    {
        Rows,
        NoRows,
        Results,
        NoResults,
    }

    private sealed class Pair(int seed)
    {
        private readonly Random _random = new(seed);
        private readonly List<(Message What, uint Round)> _onTheirWay = [];
        private readonly ExpertPeerRounds _source = new(0);
        private readonly ExpertPeerRounds _receiver = new(0);
        private uint _sent;
        private uint _ended;
        private uint _answered;
        private uint _rowsHere;
        private bool _staged;

        public void Run(int steps)
        {
            for (int step = 0; step < steps; step++)
            {
                switch (_random.Next(4))
                {
                    case 0:
                        Send(wakes: _random.Next(3) != 0);
                        break;
                    case 1:
                        End();
                        break;
                    default:
                        Deliver();
                        break;
                }
            }

            // However it went: once both are at the same round and all has come, the next one has rows and results.
            while (_sent != _ended)
            {
                if (_sent < _ended)
                    Send(wakes: true);
                else
                    End();
                DeliverAll();
            }

            Post(_sent);
            DeliverAll();
            Send(wakes: true);
            DeliverAll();
            Assert.Equal(_sent, _rowsHere);
            End();
            Assert.Contains((Message.Results, _sent), _onTheirWay);
            DeliverAll();
            Assert.Equal((0u, _sent), (_source.Unanswered, _answered));
        }

        /// <summary>A kernel stages rows when all before was answered; the worker may sleep over the round.</summary>
        private void Send(bool wakes)
        {
            _sent++;
            _staged = _answered >= _sent - 1;
            if (wakes)
                Post(_sent);
        }

        private void Post(uint round)
        {
            if (_source.TellsRows(round, _staged))
            {
                // The slot is the source's: nothing is on its way to it, and nothing of it is here.
                Assert.DoesNotContain(_onTheirWay, static message => message.What is Message.Rows or Message.Results);
                Assert.False(_receiver.HasRows);
                _onTheirWay.Add((Message.Rows, round));
                _source.RowsTold(round);
            }

            PostDebts();
        }

        private void End()
        {
            _ended++;
            if (_receiver.Answers(_ended, _rowsHere == _ended))
            {
                _onTheirWay.Add((Message.Results, _ended));
                _receiver.ResultsTold(_ended);
            }

            PostDebts();
        }

        private void PostDebts()
        {
            for (; _source.Telling != 0; _source.NoRowsTold())
                _onTheirWay.Add((Message.NoRows, 0));
            for (; _receiver.Refusals != 0; _receiver.RefusalTold())
                _onTheirWay.Add((Message.NoResults, 0));
        }

        private void DeliverAll()
        {
            while (_onTheirWay.Count != 0)
                Deliver();
        }

        private void Deliver()
        {
            if (_onTheirWay.Count == 0)
                return;
            int at = _random.Next(_onTheirWay.Count);
            (Message what, uint round) = _onTheirWay[at];
            _onTheirWay.RemoveAt(at);
            if (what == Message.NoRows)
            {
                _receiver.HearNoRows(1);
            }
            else if (what == Message.Rows)
            {
                if (_receiver.HearRows(1))
                    _rowsHere = round;
                Assert.Equal(round, _receiver.Heard);
            }
            else
            {
                uint answered = _source.Answer(1, what == Message.Results);
                Assert.Equal(round, answered);
                if (_source.Unanswered == 0)
                    _answered = _source.Told;
            }

            PostDebts();
        }
    }
}
